package layout

import (
	"math"
	"math/rand/v2"
	"testing"
)

// codecs are slot word packings from the smallest to the largest geometry.
func codecs(t *testing.T) map[string]Geometry {
	all := map[string]Geometry{}
	for name, s := range map[string]Spec{
		"1 slot":              with(mpmcF, func(s *Spec) { s.Cap = 1 }),
		"4 slots":             mpmcF,
		"64 slots, 64 seats":  with(mpmcF, func(s *Spec) { s.Cap, s.Seats = 64, 64 }),
		"8 slots, 1024 seats": with(mpmcF, func(s *Spec) { s.Cap, s.Seats = 8, 1024 }),
		"2^29 slots":          with(mpmcF, func(s *Spec) { s.Cap, s.Seats = 1<<29, 1024 }),
	} {
		g, err := s.Geometry()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = g
	}
	return all
}

// Versions grow through the wrap of the word: packing and unpacking at the slot
// gives the version back under the mask, and the block exactly.
func TestSlotWordRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, g := range codecs(t) {
		codec, slots := g.SlotCodec(), uint64(g.Spec.Cap)
		mask := uint64(math.MaxUint64) >> codec.unused
		versions := []uint64{0, 1, 2, 2*slots - 1, 2 * slots, mask - 2*slots, mask - 1, mask, mask + 1, mask + 2, math.MaxUint64 - 1, math.MaxUint64}
		for range 1000 {
			versions = append(versions, r.Uint64(), mask-r.Uint64N(4*slots), mask+r.Uint64N(4*slots))
		}
		for _, v := range versions {
			slot := v >> 1 % slots
			for _, block := range []uint64{0, slots - 1, g.Blocks - 1, r.Uint64N(g.Blocks)} {
				w := codec.Pack(v, block)
				gotV, gotB := codec.Unpack(w, slot)
				if gotV != v&mask || gotB != block {
					t.Fatalf("%s: version %#x, block %d: word %#x gives %#x, %d", name, v, block, uint64(w), gotV, gotB)
				}
			}
		}
	}
}

// Two states of one slot differ in their words, as close as they come: free and
// full, this lap and the next, one block and another.
func TestSlotWordsDiffer(t *testing.T) {
	for name, g := range codecs(t) {
		codec, slots := g.SlotCodec(), uint64(g.Spec.Cap)
		for _, pos := range []uint64{0, slots - 1, uint64(math.MaxUint64) >> codec.unused >> 1, math.MaxUint64>>1 - slots} {
			seen := map[SlotWord]bool{}
			for lap := range uint64(3) {
				for full := range uint64(2) {
					for block := range uint64(2) {
						w := codec.Pack(2*(pos+lap*slots)+full, block)
						if seen[w] {
							t.Errorf("%s: position %d, lap +%d, full %d, block %d: word %#x stands for two states", name, pos, lap, full, block, uint64(w))
						}
						seen[w] = true
					}
				}
			}
		}
	}
}

// The words written out in docs/FORMAT.md.
func TestSlotWordExample(t *testing.T) {
	g := codecs(t)["4 slots"] // 6 blocks: 3 bits
	codec := g.SlotCodec()
	for _, c := range []struct{ version, block, word uint64 }{
		{0, 0, 0x0}, {2 * 3, 3, 0x3}, {1, 4, 0xc}, {2 * (0 + 4), 1, 0x21}, {2*(2+3*4) + 1, 5, 0x6d},
	} {
		if got := codec.Pack(c.version, c.block); uint64(got) != c.word {
			t.Errorf("version %d, block %d: word %#x, want %#x", c.version, c.block, uint64(got), c.word)
		}
	}
	if codec.unused != 2 {
		t.Errorf("%d bits unused: 59 bits of lap, 2 of slot and 1 make 62", codec.unused)
	}
	if seal := codec.Seal(); seal != 0x10 {
		t.Errorf("seal bit %#x, want 0x10", uint64(seal))
	}
}

func TestSeatRec(t *testing.T) {
	const top = 1<<30 - 1
	for _, c := range []struct {
		kind      int
		give, get uint64
		word      uint64
	}{
		{RecHeld, 4, 0, 0x1000_0001_0000_0000},
		{RecUnacked, 1, 0, 0x2000_0000_4000_0000},
		{RecSending, 2, 3, 0x3000_0000_8000_0003},
		{RecTaking, top, top, 0x4fff_ffff_ffff_ffff},
	} {
		r := MakeSeatRec(c.kind, c.give, c.get)
		if uint64(r) != c.word || r.Kind() != c.kind || r.Give() != c.give || r.Get() != c.get {
			t.Errorf("kind %d, give %d, get %d: word %#x unpacks to %d, %d, %d; want %#x", c.kind, c.give, c.get, uint64(r), r.Kind(), r.Give(), r.Get(), c.word)
		}
	}
	if MaxSlots+MaxSeats > top {
		t.Error("block numbers do not fit")
	}
	if got := SeatRec(math.MaxUint64).Kind(); got != 15 {
		t.Errorf("kind of a damaged word is %d", got)
	}
}

// A seal carries 63 bits of the final tail; near it, on either side and across
// every wrap, the whole of it comes back.
func TestSeal(t *testing.T) {
	const far = 1<<62 - 1
	for _, tail := range []uint64{0, 1, 1<<62 - 1, 1 << 62, 1<<63 - 1, 1 << 63, 1<<63 + 1, 3 << 62, math.MaxUint64 - 1, math.MaxUint64} {
		seal := PackSeal(tail)
		if seal == 0 {
			t.Errorf("the seal of %#x is zero, which stands for none", tail)
		}
		for _, d := range []uint64{0, 1, 8, 1 << 32, far} {
			for _, near := range []uint64{tail - d, tail + d} {
				if got, ok := UnpackSeal(seal, near); !ok || got != tail {
					t.Errorf("tail %#x, near %#x: %#x, %v", tail, near, got, ok)
				}
			}
		}
	}
	if _, ok := UnpackSeal(0, 12345); ok {
		t.Error("a zero word counts as a seal")
	}
}

func TestReasonText(t *testing.T) {
	seen := map[string]bool{}
	for r := uint32(0); r <= ReasonBlock+1; r++ {
		text := ReasonText(r)
		known := r >= ReasonPositions && r <= ReasonBlock
		if known != (text != "an unknown reason") || known && seen[text] {
			t.Errorf("reason %d is %q", r, text)
		}
		seen[text] = true
	}
}

// A position is found again from its version, whatever it is near to.
func TestPositionOf(t *testing.T) {
	for _, pos := range []uint64{0, 1, 1<<32 - 1, 1<<62 - 1, 1 << 62, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		for _, off := range []uint64{0, 1, 1 << 40, ^uint64(0), ^uint64(1 << 40)} {
			for full := range uint64(2) {
				if got := PositionOf(2*pos+full, pos+off); got != pos {
					t.Errorf("PositionOf(%d of %d, near %d) = %d", full, pos, pos+off, got)
				}
			}
		}
	}
	for kind, want := range []string{"none", "held", "unacked", "sending", "taking", "none", "none"} {
		if r := MakeSeatRec(kind, 1, 2); r.Doing() != want || r.Exchanging() != (kind == RecSending || kind == RecTaking) {
			t.Errorf("a record of kind %d is %q, exchanging %v", kind, r.Doing(), r.Exchanging())
		}
	}
}
