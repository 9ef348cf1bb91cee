package layout

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// Format version. A reader refuses another major and accepts any minor of its
// own; what a reader must know about is announced by a feature flag, not by the minor.
const (
	Major = 1
	Minor = 0
)

// Magic is the first eight bytes of every segment, "RINGWAY" and a NUL, as a
// little-endian word; a big-endian or foreign file never shows it.
const Magic = 0x0059_4157_474e_4952

// Byte offsets of the header's fields. docs/FORMAT.md is the normative table.
const (
	magicOff    = 0
	majorOff    = 8   // u16
	minorOff    = 10  // u16
	sizeOff     = 12  // u32, HeaderSize
	compatOff   = 16  // u32, unknown bits may be ignored
	roCompatOff = 20  // u32, unknown bits allow read-only use
	incompatOff = 24  // u32, unknown bits forbid any use
	kindOff     = 28  // u8
	payloadOff  = 29  // u8
	fenceOff    = 30  // u8
	capOff      = 32  // u64
	elemSizeOff = 40  // u32
	alignOff    = 44  // u32
	hashOff     = 48  // u64
	packOff     = 56  // u32
	seatsOff    = 60  // u32
	strideOff   = 64  // u64
	blocksOff   = 72  // u64
	controlOff  = 80  // u64
	seatOff     = 88  // u64
	wordOff     = 96  // u64
	dataOff     = 104 // u64
	fileSizeOff = 112 // u64
	uidOff      = 120 // u32
	pidOff      = 124 // u32
	createdOff  = 128 // i64
	idOff       = 136 // 16 bytes
	bootOff     = 152 // 16 bytes
	sentOff     = 168 // u64
	freedOff    = 176 // u64
	crcOff      = 252 // u32, CRC-32C of bytes 0 to 251
	readyOff    = 256 // u64, on a line of its own; outside the CRC
	headerBytes = 264
)

// Ready is what the ready word holds once a segment may be opened.
const Ready = 0x59_4441_4552 // "READY"

// Origin says who made a segment, for people, and when its memory was last valid.
type Origin struct {
	UID, PID uint32
	Created  time.Time
	ID       [16]byte // random, tells two rings of one name apart
	Boot     [16]byte // the kernel's boot id; zero where the creator could not learn it
}

// Header is the first page of a segment, immutable once the ready word is set.
type Header struct {
	Geometry Geometry
	Origin   Origin
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode writes the header, all but the ready word, into the first page of mem,
// which is zero before.
func (h *Header) Encode(mem []byte) {
	le, g, s := binary.LittleEndian, &h.Geometry, &h.Geometry.Spec
	b := mem[:HeaderSize]
	le.PutUint64(b[magicOff:], Magic)
	le.PutUint16(b[majorOff:], Major)
	le.PutUint16(b[minorOff:], Minor)
	le.PutUint32(b[sizeOff:], HeaderSize)
	b[kindOff], b[payloadOff], b[fenceOff] = byte(s.Kind), byte(s.Payload), byte(s.Fence)
	le.PutUint64(b[capOff:], uint64(s.Cap))
	le.PutUint32(b[elemSizeOff:], s.Elem.Size)
	le.PutUint32(b[alignOff:], s.Elem.Align)
	le.PutUint64(b[hashOff:], s.Elem.Hash)
	le.PutUint32(b[packOff:], uint32(s.Pack))
	le.PutUint32(b[seatsOff:], uint32(s.Seats))
	le.PutUint64(b[strideOff:], g.Stride)
	le.PutUint64(b[blocksOff:], g.Blocks)
	le.PutUint64(b[controlOff:], ControlOff)
	le.PutUint64(b[seatOff:], SeatOff)
	le.PutUint64(b[wordOff:], g.WordOff)
	le.PutUint64(b[sentOff:], g.SentOff)
	le.PutUint64(b[freedOff:], g.FreedOff)
	le.PutUint64(b[dataOff:], g.DataOff)
	le.PutUint64(b[fileSizeOff:], uint64(g.FileSize))
	le.PutUint32(b[uidOff:], h.Origin.UID)
	le.PutUint32(b[pidOff:], h.Origin.PID)
	le.PutUint64(b[createdOff:], uint64(h.Origin.Created.UnixNano()))
	copy(b[idOff:], h.Origin.ID[:])
	copy(b[bootOff:], h.Origin.Boot[:])
	le.PutUint32(b[crcOff:], crc32.Checksum(b[:crcOff], castagnoli))
}

// Validate decodes and checks the header of a segment of size bytes from a
// private copy of its first page (or as much as there is). It never trusts an
// offset or a size it could compute itself: the geometry is derived again from
// the spec and must agree. Errors wrap [ErrFormat] or [ErrVersion] and say what
// was found and what to do.
func Validate(page []byte, size int64) (Header, error) {
	bad := func(format string, args ...any) (Header, error) {
		return Header{}, fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	le := binary.LittleEndian
	if size == 0 {
		return bad("the file is empty; remove it and create the ring again")
	}
	if len(page) < 8 || le.Uint64(page[magicOff:]) != Magic {
		return bad("no ringway magic at its start; it is another kind of file")
	}
	if len(page) < headerBytes || size < HeaderSize+Page {
		return bad("the file has %s, too few for a header; remove it and create the ring again", counted(int(size), "byte"))
	}
	b := page[:headerBytes]
	if major, minor := le.Uint16(b[majorOff:]), le.Uint16(b[minorOff:]); major != Major {
		return Header{}, fmt.Errorf("%w: found %d.%d, this build reads %d.x; use a ringway of the ring's version or create the ring again",
			ErrVersion, major, minor, Major)
	}
	if got, want := crc32.Checksum(b[:crcOff], castagnoli), le.Uint32(b[crcOff:]); got != want {
		return bad("header checksum is %08x, should be %08x; the header is damaged, remove the file and create the ring again", got, want)
	}
	if le.Uint64(b[readyOff:]) != Ready {
		return bad("it was never finished, its creator died; remove it and create the ring again")
	}
	if in := le.Uint32(b[incompatOff:]); in != 0 {
		return Header{}, fmt.Errorf("%w: needs features %#x that this build does not know; use the newer ringway that made it", ErrVersion, in)
	}
	if ro := le.Uint32(b[roCompatOff:]); ro != 0 {
		return Header{}, fmt.Errorf("%w: has features %#x that this build may not write; use the newer ringway that made it", ErrVersion, ro)
	}
	capacity := le.Uint64(b[capOff:])
	if capacity > 1<<62 {
		return bad("capacity %d is impossible", capacity)
	}
	spec := Spec{
		Kind: Kind(b[kindOff]), Payload: Payload(b[payloadOff]), Fence: Fence(b[fenceOff]),
		Cap:  int(capacity),
		Elem: Elem{Size: le.Uint32(b[elemSizeOff:]), Align: le.Uint32(b[alignOff:]), Hash: le.Uint64(b[hashOff:])},
		Pack: int(le.Uint32(b[packOff:])), Seats: int(le.Uint32(b[seatsOff:])),
	}
	g, err := spec.Geometry()
	if err != nil {
		return bad("its header is impossible: %v", err)
	}
	if g.Spec != spec || spec.Fence == Auto {
		return bad("its header leaves a default open that a creator must fill in")
	}
	if le.Uint32(b[sizeOff:]) != HeaderSize || le.Uint64(b[controlOff:]) != ControlOff || le.Uint64(b[seatOff:]) != SeatOff ||
		le.Uint64(b[strideOff:]) != g.Stride || le.Uint64(b[blocksOff:]) != g.Blocks || le.Uint64(b[wordOff:]) != g.WordOff ||
		g.Spec.Kind == MPMC && (le.Uint64(b[sentOff:]) != g.SentOff || le.Uint64(b[freedOff:]) != g.FreedOff) || le.Uint64(b[dataOff:]) != g.DataOff || le.Uint64(b[fileSizeOff:]) != uint64(g.FileSize) {
		return bad("its offsets do not follow from its spec (%v)", spec)
	}
	if size != g.FileSize {
		return bad("the file has %d bytes, its header says %d; it was truncated or extended, remove it and create the ring again", size, g.FileSize)
	}
	h := Header{Geometry: g, Origin: Origin{
		UID: le.Uint32(b[uidOff:]), PID: le.Uint32(b[pidOff:]),
		Created: time.Unix(0, int64(le.Uint64(b[createdOff:]))),
	}}
	copy(h.Origin.ID[:], b[idOff:])
	copy(h.Origin.Boot[:], b[bootOff:])
	return h, nil
}

// HasMagic reports whether b begins like a segment, whatever follows.
func HasMagic(b []byte) bool {
	return len(b) >= 8 && binary.LittleEndian.Uint64(b) == Magic
}
