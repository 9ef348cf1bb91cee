package layout

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"
)

var testOrigin = Origin{
	UID: 1000, PID: 4242, Created: time.Unix(0, 1_700_000_000_123_456_789),
	ID: [16]byte{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
}

// headerOf returns the first page of a finished segment of this spec, and its file's size.
func headerOf(t testing.TB, s Spec) ([]byte, int64) {
	t.Helper()
	g, err := s.Geometry()
	if err != nil {
		t.Fatal(err)
	}
	page := make([]byte, HeaderSize)
	h := Header{Geometry: g, Origin: testOrigin}
	h.Encode(page)
	binary.LittleEndian.PutUint64(page[readyOff:], Ready)
	return page, g.FileSize
}

// fixCRC makes the checksum right again, as somebody would who means it.
func fixCRC(page []byte) {
	binary.LittleEndian.PutUint32(page[crcOff:], crc32.Checksum(page[:crcOff], crc32.MakeTable(crc32.Castagnoli)))
}

func TestHeaderRoundTrip(t *testing.T) {
	for _, spec := range append(all4, with(spscM, func(s *Spec) { s.Cap = 1 << 32 }), with(mpmcF, func(s *Spec) { s.Cap, s.Pack, s.Seats = 1<<20, 64, 1024 })) {
		page, size := headerOf(t, spec)
		h, err := Validate(page, size)
		if err != nil {
			t.Errorf("%v: %v", spec, err)
			continue
		}
		if g, _ := spec.Geometry(); h.Geometry != g {
			t.Errorf("%v: geometry %+v, want %+v", spec, h.Geometry, g)
		}
		if got := h.Origin; got != testOrigin {
			t.Errorf("%v: origin %+v, want %+v", spec, got, testOrigin)
		}
		if !HasMagic(page) || string(page[:8]) != "RINGWAY\x00" {
			t.Errorf("%v begins with %q", spec, page[:8])
		}
	}
}

// The header of the SPSC message ring of docs/FORMAT.md, byte by byte.
func TestHeaderBytes(t *testing.T) {
	page, _ := headerOf(t, spscM)
	le := binary.LittleEndian
	want := make([]byte, HeaderSize)
	copy(want, "RINGWAY\x00\x01\x00\x00\x00\x00\x10\x00\x00")
	want[28], want[29], want[30] = 1, 2, 2
	le.PutUint64(want[32:], 256)
	le.PutUint32(want[40:], 120)
	le.PutUint32(want[44:], 1)
	le.PutUint32(want[56:], 1)
	le.PutUint32(want[60:], 2)
	le.PutUint64(want[64:], 1)
	le.PutUint64(want[80:], 4096)
	le.PutUint64(want[88:], 8192)
	le.PutUint64(want[96:], 12288)
	le.PutUint64(want[104:], 12288)
	le.PutUint64(want[112:], 16384)
	le.PutUint32(want[120:], 1000)
	le.PutUint32(want[124:], 4242)
	le.PutUint64(want[128:], 1_700_000_000_123_456_789)
	copy(want[136:], testOrigin.ID[:])
	le.PutUint32(want[252:], 0xd0857c4c)
	le.PutUint64(want[256:], 0x0000_0059_4441_4552)
	if !bytes.Equal(page, want) {
		for i := range page {
			if page[i] != want[i] {
				t.Errorf("byte %d is %#02x, want %#02x", i, page[i], want[i])
			}
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	le := binary.LittleEndian
	page, size := headerOf(t, spscF)
	u8 := func(off int, v byte) func([]byte) { return func(b []byte) { b[off] = v } }
	u16 := func(off int, v uint16) func([]byte) { return func(b []byte) { le.PutUint16(b[off:], v) } }
	u32 := func(off int, v uint32) func([]byte) { return func(b []byte) { le.PutUint32(b[off:], v) } }
	u64 := func(off int, v uint64) func([]byte) { return func(b []byte) { le.PutUint64(b[off:], v) } }
	same := func([]byte) {}
	const follow = "its offsets do not follow from its spec (spsc fixed, 8 slots of 8 bytes)"
	const create = "; remove it and create the ring again"
	for _, c := range []struct {
		name   string
		change func([]byte)
		size   int64
		kind   error
		want   string
	}{
		{"empty file", same, 0, ErrFormat, "the file is empty" + create},
		{"shorter than a header", same, 4096, ErrFormat, "the file has 4096 bytes, too few for a header" + create},
		{"truncated by a page", same, size - 4096, ErrFormat, "the file has 12288 bytes, its header says 16384; it was truncated or extended, remove it and create the ring again"},
		{"truncated by a byte", same, size - 1, ErrFormat, "the file has 16383 bytes, its header says 16384"},
		{"extended", same, size + 1, ErrFormat, "the file has 16385 bytes, its header says 16384"},
		{"foreign", func(b []byte) { copy(b, "\x7fELF") }, size, ErrFormat, "no ringway magic at its start; it is another kind of file"},
		{"big-endian", func(b []byte) { copy(b, "\x00YAWGNIR") }, size, ErrFormat, "no ringway magic"},
		{"newer major", u16(8, 2), size, ErrVersion, "found 2.0, this build reads 1.x; use a ringway of the ring's version or create the ring again"},
		{"older major", u16(8, 0), size, ErrVersion, "found 0.0, this build reads 1.x"},
		{"half-built", u64(256, 0), size, ErrFormat, "it was never finished, its creator died" + create},
		{"scribbled ready word", u64(256, Ready+1), size, ErrFormat, "it was never finished"},
		{"incompatible feature", u32(24, 0x8), size, ErrVersion, "needs features 0x8 that this build does not know; use the newer ringway that made it"},
		{"read-only feature", u32(20, 0x80000001), size, ErrVersion, "has features 0x80000001 that this build may not write; use the newer ringway that made it"},
		{"header size", u32(12, 8192), size, ErrFormat, follow},
		{"kind 0", u8(28, 0), size, ErrFormat, "its header is impossible: spec does not fit: kind must be spsc or mpmc, not kind(0)"},
		{"other kind", u8(28, 2), size, ErrFormat, "its offsets do not follow from its spec (mpmc fixed, 8 slots of 8 bytes)"},
		{"payload 3", u8(29, 3), size, ErrFormat, "payload must be fixed or message, not payload(3)"},
		{"other payload", u8(29, 2), size, ErrFormat, "capacity must be 64 to 4294967296 bytes, not 8"},
		{"fence 3", u8(30, 3), size, ErrFormat, "fence must be auto, asymmetric or full, not fence(3)"},
		{"fence auto", u8(30, 0), size, ErrFormat, "its header leaves a default open that a creator must fill in"},
		{"capacity 0", u64(32, 0), size, ErrFormat, "capacity must be a power of two, not 0"},
		{"capacity 9", u64(32, 9), size, ErrFormat, "capacity must be a power of two, not 9"},
		{"capacity 1024", u64(32, 1024), size, ErrFormat, "its offsets do not follow from its spec (spsc fixed, 1024 slots of 8 bytes)"},
		{"capacity negative", u64(32, 1<<63), size, ErrFormat, "capacity 9223372036854775808 is impossible"},
		{"element size 0", u32(40, 0), size, ErrFormat, "element size must be 1 to 1073741824 bytes, not 0"},
		{"element size", u32(40, 16), size, ErrFormat, "its offsets do not follow from its spec (spsc fixed, 8 slots of 16 bytes)"},
		{"alignment", u32(44, 3), size, ErrFormat, "element alignment must be"},
		{"pack 0", u32(56, 0), size, ErrFormat, "leaves a default open"},
		{"pack 2", u32(56, 2), size, ErrFormat, "pack needs an mpmc ring of fixed elements"},
		{"pack 2^32-1", u32(56, 1<<32-1), size, ErrFormat, "pack must be 1 to 65536 elements, not 4294967295"},
		{"seats 0", u32(60, 0), size, ErrFormat, "leaves a default open"},
		{"seats 1", u32(60, 1), size, ErrFormat, "seats must be 2 to 1024, not 1"},
		{"seats 64", u32(60, 64), size, ErrFormat, follow},
		{"seats 2^32-1", u32(60, 1<<32-1), size, ErrFormat, "seats must be 2 to 1024, not 4294967295"},
		{"stride", u64(64, 16), size, ErrFormat, follow},
		{"blocks", u64(72, 10), size, ErrFormat, follow},
		{"control offset", u64(80, 8192), size, ErrFormat, follow},
		{"seat offset", u64(88, 4096), size, ErrFormat, follow},
		{"word offset", u64(96, 0), size, ErrFormat, follow},
		{"data offset", u64(104, 1<<63), size, ErrFormat, follow},
		{"file size", u64(112, 1<<63), size, ErrFormat, follow},
		{"file size that fits the file", u64(112, 12288), 12288, ErrFormat, follow},
	} {
		broken := bytes.Clone(page)
		c.change(broken)
		fixCRC(broken)
		h, err := Validate(broken, c.size)
		if !errors.Is(err, c.kind) || h != (Header{}) {
			t.Errorf("%s: %+v, %v, want %v", c.name, h, err, c.kind)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q does not say %q", c.name, err, c.want)
		}
	}
}

// Every byte that means something is under the checksum, the ready word apart.
func TestValidateCRC(t *testing.T) {
	for _, spec := range all4 {
		page, size := headerOf(t, spec)
		for at := range headerBytes {
			for bit := range 8 {
				broken := bytes.Clone(page)
				broken[at] ^= 1 << bit
				_, err := Validate(broken, size)
				free := at >= crcOff+4 && at < readyOff // reserved, outside the checksum
				if free != (err == nil) {
					t.Errorf("%v: bit %d of byte %d flipped: %v", spec, bit, at, err)
				}
				if at == 252 && bit == 0 && (err == nil || !strings.Contains(err.Error(), "header checksum is ") || !strings.Contains(err.Error(), "the header is damaged, remove the file and create the ring again")) {
					t.Errorf("a wrong checksum is reported as %v", err)
				}
			}
		}
	}
}

// A page that was read only in part, of a file of whatever size.
func TestValidateTruncatedPage(t *testing.T) {
	page, size := headerOf(t, spscF)
	for n := range len(page) + 1 {
		_, err := Validate(page[:n:n], size)
		if n >= headerBytes && err != nil || n < headerBytes && !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes of the page: %v", n, err)
		}
	}
	for _, size := range []int64{-1, 1, 4095, 8191} {
		if _, err := Validate(page, size); !errors.Is(err, ErrFormat) {
			t.Errorf("a file of %d bytes: %v", size, err)
		}
	}
}

// What a minor version may add changes nothing for this reader.
func TestValidateIgnores(t *testing.T) {
	page, size := headerOf(t, spscM)
	want, err := Validate(page, size)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(page[minorOff:], 7)
	binary.LittleEndian.PutUint32(page[compatOff:], 0xffffffff)
	for i := bootOff + 16; i < crcOff; i++ {
		page[i] = 0xff
	}
	page[31] = 0xff
	fixCRC(page)
	if got, err := Validate(page, size); err != nil || got != want {
		t.Errorf("with a newer minor, unknown compatible features and reserved bytes: %+v, %v", got, err)
	}
}
