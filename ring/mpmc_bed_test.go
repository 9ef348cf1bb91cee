package ring

import (
	"fmt"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// exchangeSpec is the spec of an MPMC ring of T.
func exchangeSpec[T any](t testing.TB, slots, pack int) layout.Spec {
	t.Helper()
	spec, err := Spec[T](layout.MPMC, slots)
	if err != nil {
		t.Fatal(err)
	}
	spec.Pack, spec.Seats = pack, 8
	return spec
}

func exchangeMsgSpec(t testing.TB, slots, most int) layout.Spec {
	t.Helper()
	spec, err := MsgSpec(layout.MPMC, slots, most)
	if err != nil {
		t.Fatal(err)
	}
	spec.Seats = 8
	return spec
}

// onExchangeBeds runs test on heap and mapped memory; an MPMC ring does not use its fence.
func onExchangeBeds(t *testing.T, test func(t *testing.T, b bed)) {
	needSegments(t)
	for _, heap := range []bool{true, false} {
		b := bed{heap, layout.Full}
		t.Run(b.String(), func(t *testing.T) { test(t, b) })
	}
}

// exchangeStarts are positions near which something wraps: a few bits of the lap, the lap that
// fits in a word of slots and this number of seats, the version, the position.
func exchangeStarts(spec layout.Spec) []uint64 {
	g, err := spec.Geometry()
	if err != nil {
		panic(err)
	}
	all := []uint64{0, 1<<32 - 3, 1<<63 - 3, 1<<64 - 3}
	codec := g.SlotCodec()
	for bits := 40; bits < 63; bits++ { // the lowest position whose version a word cannot tell from 0
		if codec.Distance(2<<bits, 0) == 0 {
			return append(all, 1<<bits-3, 1<<(bits-1)-3)
		}
	}
	return all
}

// exchangeAt moves an MPMC ring that nobody uses yet to a position: slots free for it
// and the ones that follow, the versions of their blocks, and the hints.
func exchangeAt(s *shm.Segment, pos uint64) *shm.Segment {
	h := s.Header()
	g := &h.Geometry
	codec, slots := g.SlotCodec(), uint64(g.Spec.Cap)
	words := layout.WordsAt(s.Memory(), g)
	sent, freed := layout.VersionsAt(s.Memory(), g)
	for i := range sent { // as if every block had been about its business until now
		sent[i], freed[i] = 2*pos-1, 2*pos
	}
	for p := pos; p != pos+slots; p++ {
		i := p & (slots - 1)
		atomic.StoreUint64(&words[i], uint64(codec.Pack(2*p, i)))
		freed[i] = 2 * p
	}
	return startAt(s, pos)
}

// conserved checks that every block is in exactly one slot or seat of a ring on
// which nobody is at work.
func conserved(s *shm.Segment) error {
	h := s.Header()
	g := &h.Geometry
	codec := g.SlotCodec()
	where := make([]string, g.Blocks)
	put := func(block uint64, at string) error {
		if block >= g.Blocks {
			return fmt.Errorf("%s names block %d of %d", at, block, g.Blocks)
		}
		if where[block] != "" {
			return fmt.Errorf("block %d is in %s and in %s", block, where[block], at)
		}
		where[block] = at
		return nil
	}
	for i, words := 0, layout.WordsAt(s.Memory(), g); i < len(words); i++ {
		_, block := codec.Unpack(layout.SlotWord(atomic.LoadUint64(&words[i])), uint64(i))
		if err := put(block, fmt.Sprint("slot ", i)); err != nil {
			return err
		}
	}
	for i, seats := 0, layout.SeatsAt(s.Memory(), g.Spec.Seats); i < len(seats); i++ {
		rec := layout.SeatRec(atomic.LoadUint64(&seats[i].Rec))
		if k := rec.Kind(); k != layout.RecHeld && k != layout.RecUnacked {
			return fmt.Errorf("seat %d, state %d, has an exchange in flight: kind %d, give %d, get %d, version %d", i, seats[i].State.Load(), k, rec.Give(), rec.Get(), seats[i].Ver)
		}
		if err := put(rec.Give(), fmt.Sprint("seat ", i)); err != nil {
			return err
		}
	}
	return nil // as many as there are, and no two in one place: none is missing
}

// exchangeSegment is bed.segment whose blocks are counted when the test ends, and
// which begins at a position.
func exchangeSegment(t testing.TB, b bed, spec layout.Spec, pos uint64) *shm.Segment {
	t.Helper()
	s := exchangeAt(b.segment(t, spec), pos)
	t.Cleanup(func() {
		if err := conserved(s); err != nil {
			t.Error("blocks:", err)
		}
	})
	return s
}
