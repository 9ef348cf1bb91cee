//go:build failpoint

package ring

import (
	"testing"

	"ringway/internal/failpoint"
	"ringway/layout"
	"ringway/shm"
)

// A producer that is fast against the sealer's look around cannot keep it from sealing.
func TestSealAgainstFastProducer(t *testing.T) {
	s := blocksOf(t, 64, 1)
	other, err := shm.OpenFile(s.File()) // as another process would: Shutdown holds the segment's mutex
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	p, c := mustProducer[uint64](t, other, nil), mustConsumer[uint64](t, other, nil)
	busy, sent, taken := false, 0, 0
	step := func() {
		if busy {
			return
		}
		busy = true
		defer func() { busy = false }()
		if err := p.TryPush(1); err == nil {
			sent++
		} else if err != shm.ErrClosed {
			t.Errorf("TryPush = %v", err)
		}
		if _, err := c.TryPop(); err == nil {
			taken++
		}
	}
	failpoint.OnLook = func(int) { step() }
	defer func() { failpoint.OnLook = nil }()
	if err := s.Shutdown(); err != nil {
		t.Fatalf("Shutdown = %v after %d sends", err, sent)
	}
	if sent == 0 || sent != taken {
		t.Errorf("%d sent, %d taken", sent, taken)
	}
}

// Slots that have no end, and never will because nobody moves, are not gone through again and again: a ring
// may have many.
func TestSealOfDamageThatStays(t *testing.T) {
	const slots = 64
	for damaged := range uint64(slots) {
		s := blocksOf(t, slots, 1)
		exchangeAt(s, slots)
		g := s.Header().Geometry
		words, codec := layout.WordsAt(s.Memory(), &g), g.SlotCodec()
		for i := range damaged { // messages of the lap before the others'
			words[i] = uint64(codec.Pack(2*i+1, i))
		}
		passes := 0
		failpoint.OnLook = func(where int) {
			if where == failpoint.LooksForEnd {
				passes++
			}
		}
		err := s.Shutdown()
		failpoint.OnLook = nil
		if damaged == 0 {
			wantErr(t, "Shutdown", err, nil)
		} else {
			wantIs(t, "Shutdown", err, ErrCorrupt)
		}
		if passes == 0 || passes > 2 {
			t.Fatalf("%d damaged slots: gone through %d times", damaged, passes)
		}
	}
}
