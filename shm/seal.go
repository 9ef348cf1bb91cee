package shm

import (
	"fmt"
	"sync/atomic"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// sealSlots ends an MPMC ring that was shut down: it marks the slot of the first position
// that was not sent yet, in one swap, so that nobody fills it any more. What was
// sent lies before it. It is idempotent, and may be cut short and begun again.
func (s *Segment) sealSlots() error {
	failpoint.Hit(failpoint.SealState)
	g := &s.header.Geometry
	codec, words, slots := g.SlotCodec(), layout.WordsAt(s.mem, g), uint64(g.Spec.Cap)
	seal := codec.Seal()
	// Lets every sender see the state after its next send, or the swap below might lose to
	// senders that are fast and never find the ring full; pairs with the load after a send.
	notEmpty, _ := s.Events()
	notEmpty.Alert()
	var last struct {
		at, word uint64
		noEnd    bool
	}
	for range 1 << 12 {
		// The end is the slot with the lowest version that is free, or, if none is, the one
		// with the oldest message: the next to become free. All slots within one lap
		// of each other, so one pass finds it; a race is found by the swap.
		var at, word uint64
		var lowest uint64
		free := false
		failpoint.Look(failpoint.LooksForEnd)
		for i := range slots {
			failpoint.Look(failpoint.LooksAtEnd)
			// acquire: pairs with the swaps in send and take.
			w := atomic.LoadUint64(&words[i])
			if layout.SlotWord(w)&seal != 0 {
				return nil
			}
			v, _ := codec.Unpack(layout.SlotWord(w), i)
			isFree := v&1 == 0
			if i == 0 || isFree && !free || isFree == free && codec.Distance(v, lowest) < 0 {
				at, word, lowest, free = i, w, v, isFree
			}
		}
		ends := s.endsAt(at, lowest)
		// publishes the end; pairs with the loads in send and take.
		if ends && atomic.CompareAndSwapUint64(&words[at], word, word|uint64(seal)) {
			failpoint.Hit(failpoint.SealDone)
			return nil
		}
		// Free for p at the last pass: all below p-slots was taken by then, so this pass saw each slot
		// below p sent, or free and chose that. The same answer twice is no race, and a ring may have many slots.
		if !ends && last.noEnd && at == last.at && word == last.word {
			break
		}
		last.at, last.word, last.noEnd = at, word, !ends
	}
	s.MarkCorrupt(layout.ReasonSlot, 0)
	return fmt.Errorf("%w: its slots have no end; remove it and create the ring again", layout.ErrCorrupt)
}

// endsAt reports whether the slot before says that everything below this one was sent.
func (s *Segment) endsAt(slot, version uint64) bool {
	g := &s.header.Geometry
	codec, slots := g.SlotCodec(), uint64(g.Spec.Cap)
	failpoint.Look(failpoint.LooksBeforeEnd)
	p := version >> 1 // free for p, or holds p and the end is a lap on
	if version&1 == 1 {
		p += slots
	}
	before := (slot + slots - 1) % slots
	v, _ := codec.Unpack(layout.SlotWord(atomic.LoadUint64(&layout.WordsAt(s.mem, g)[before])), before)
	return slots == 1 || codec.Distance(v, 2*(p-1)+1) >= 0
}
