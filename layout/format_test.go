package layout

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Format writes a segment that validates, whose only other nonzero words are the
// state and, on MPMC, one block for each slot and seat, with its header.
func TestFormat(t *testing.T) {
	for _, spec := range all6 {
		g, err := spec.Geometry()
		if err != nil {
			t.Fatal(err)
		}
		words := make([]uint64, g.FileSize/8)
		mem := bytesOf(words)
		h := Header{Geometry: g, Origin: testOrigin}
		h.Format(mem)
		if _, err := Validate(mem[:HeaderSize], g.FileSize); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "never finished") {
			t.Errorf("%v: before the ready word: %v", spec, err)
		}
		*ReadyAt(mem) = Ready
		if got, err := Validate(mem[:HeaderSize], g.FileSize); err != nil || got != h {
			t.Errorf("%v: %+v, %v", spec, got, err)
		}
		if got := ControlAt(mem).State.Load(); got != StateOpen {
			t.Errorf("%v: state %d", spec, got)
		}
		blocks := map[uint64]int{}
		if g.Spec.Kind == MPMC {
			for i, w := range WordsAt(mem, &g) {
				v, b := g.SlotCodec().Unpack(SlotWord(w), uint64(i))
				if v != 2*uint64(i) {
					t.Errorf("%v: slot %d has version %d, want free for position %d", spec, i, v, i)
				}
				blocks[b]++
			}
			for i := range SeatsAt(mem, g.Spec.Seats) {
				rec := SeatRec(SeatsAt(mem, g.Spec.Seats)[i].Rec)
				if rec.Kind() != RecHeld || rec.Get() != 0 {
					t.Errorf("%v: seat %d begins as %#x", spec, i, uint64(rec))
				}
				blocks[rec.Give()]++
			}
		}
		if !g.Spec.Kind.Ring() {
			g.Blocks = 0 // its copies have no place to be in, and begin as zero
		}
		for b := range g.Blocks {
			if blocks[b] != 1 {
				t.Errorf("%v: block %d is in %d places", spec, b, blocks[b])
			}
		}
		if uint64(len(blocks)) != g.Blocks {
			t.Errorf("%v: %d blocks, want %d", spec, len(blocks), g.Blocks)
		}
		// Nothing else: wipe what was named above and look.
		clear(mem[:HeaderSize])
		ControlAt(mem).State.Store(0)
		if g.Spec.Kind == MPMC {
			clear(mem[g.WordOff:g.SentOff])
		}
		for i := range g.Blocks {
			// A slot's block was put there as free for the slot's first position; a seat's, nowhere yet.
			want := 2 * i
			if i >= uint64(g.Spec.Cap) {
				want = 0
			}
			_, freed := VersionsAt(mem, &g)
			if freed[i] != want {
				t.Errorf("%v: block %d was given back at %d, want %d", spec, i, freed[i], want)
			}
			freed[i] = 0
		}
		for i := range SeatsAt(mem, g.Spec.Seats) {
			SeatsAt(mem, g.Spec.Seats)[i].Rec = 0
		}
		for i, w := range words {
			if w != 0 {
				t.Errorf("%v: the word at %d is %#x", spec, 8*i, w)
			}
		}
	}
}

// Validate never panics, and a header that it accepts has one encoding: encoding
// what it returned gives the same bytes, the reserved ones and what a minor version may
// add apart.
func FuzzValidate(f *testing.F) {
	for _, spec := range all6 {
		page, size := headerOf(f, spec)
		f.Add(page[:headerBytes], size, true)
		f.Add(page, size, false)
	}
	page, size := headerOf(f, spscF)
	for _, at := range []int{0, 8, 20, 24, 28, 29, 30, 32, 40, 44, 56, 60, 64, 72, 112, 256} {
		broken := bytes.Clone(page[:headerBytes])
		broken[at] ^= 3
		f.Add(broken, size, true)
	}
	f.Add([]byte("RINGWAY\x00"), int64(1<<40), false)
	f.Fuzz(func(t *testing.T, page []byte, size int64, fix bool) {
		if fix && len(page) >= headerBytes { // get past the checksum, as damage on purpose would
			page = bytes.Clone(page)
			fixCRC(page)
		}
		h, err := Validate(page, size)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrVersion) || h != (Header{}) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%+v, %v", h, err)
			}
			return
		}
		if h.Geometry.FileSize != size || h.Geometry.FileSize > MaxFile || h.Geometry.Spec.Fence == Auto {
			t.Fatalf("accepted %+v for a file of %d bytes", h.Geometry, size)
		}
		again := make([]byte, HeaderSize)
		h.Encode(again)
		copy(again[minorOff:sizeOff], page[minorOff:])
		copy(again[compatOff:roCompatOff], page[compatOff:])
		again[fenceOff+1] = page[fenceOff+1]
		copy(again[bootOff+16:crcOff], page[bootOff+16:])
		fixCRC(again)
		if !bytes.Equal(again[:crcOff+4], page[:crcOff+4]) {
			t.Fatalf("accepted\n%x\nwhich re-encodes to\n%x", page[:crcOff+4], again[:crcOff+4])
		}
	})
}

// The golden segments, which package shm's tests make and read, are version 1.0
// for good: the header of each validates and re-encodes to the same bytes.
func TestGoldenHeaders(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ring")
	if err != nil || len(files) < 6 {
		t.Fatalf("found %d golden segments, %v; make them with go test ./shm -run Golden -update", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Validate(b[:HeaderSize], int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := make([]byte, HeaderSize)
		h.Encode(again)
		if !bytes.Equal(again[:crcOff+4], b[:crcOff+4]) {
			t.Errorf("%s: its header re-encodes differently", name)
		}
	}
}
