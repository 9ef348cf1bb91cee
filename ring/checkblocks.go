package ring

import (
	"slices"
	"sync/atomic"

	"ringway/layout"
)

// blocks: every block of an MPMC ring lies in exactly one slot or belongs to exactly one
// seat. That can be counted only while nothing moves; a ring that never stands still for
// the length of a look says so.
func (k *checker) blocks() {
	g := k.segment.Header().Geometry
	const looks = 100
	for range looks {
		before := k.exchangeWords(&g)
		if slices.Equal(before, k.exchangeWords(&g)) {
			k.count(&g, before)
			return
		}
	}
	k.good("blocks", "in motion all the time, not counted")
}

// exchangeWords reads all slot words, then all seat records.
func (k *checker) exchangeWords(g *layout.Geometry) []uint64 {
	words := layout.WordsAt(k.segment.Memory(), g)
	seats := layout.SeatsAt(k.segment.Memory(), g.Spec.Seats)
	all := make([]uint64, 0, len(words)+len(seats))
	for i := range words {
		all = append(all, atomic.LoadUint64(&words[i])) // observes: the swaps in send and take
	}
	for i := range seats {
		all = append(all, atomic.LoadUint64(&seats[i].Rec)) // observes: the owner's record
	}
	return all
}

// count checks a picture of the ring in which nothing moved.
func (k *checker) count(g *layout.Geometry, all []uint64) {
	slots := all[:g.Spec.Cap]
	codec := g.SlotCodec()
	inSlot := make([]bool, g.Blocks)
	full := 0
	var lowest, highest uint64
	for i, w := range slots {
		version, block := codec.Unpack(layout.SlotWord(w), uint64(i))
		if block >= g.Blocks || inSlot[block] {
			k.bad("blocks", "slot %d names block %d, which does not exist or lies in another slot too", i, block)
			return
		}
		inSlot[block] = true
		full += int(version & 1)
		if i == 0 || codec.Distance(version, lowest) < 0 {
			lowest = version
		}
		if i == 0 || codec.Distance(version, highest) > 0 {
			highest = version
		}
	}
	if codec.Distance(highest, lowest) > 2*int64(g.Spec.Cap) {
		k.bad("blocks", "two slots are more than a lap apart")
		return
	}
	owner := make([]int, g.Blocks)
	for i, w := range all[len(slots):] {
		rec := layout.SeatRec(w)
		own := rec.Give()
		if kind := rec.Kind(); kind < layout.RecHeld || kind > layout.RecTaking || own >= g.Blocks || rec.Get() >= g.Blocks {
			k.bad("blocks", "seat %d has a record that no owner leaves behind", i)
			return
		} else if kind >= layout.RecSending && inSlot[own] {
			own = rec.Get() // its exchange has happened, the record is yet to say so
		}
		if inSlot[own] || owner[own] != 0 {
			k.bad("blocks", "seat %d owns block %d, which lies in a slot or belongs to seat %d too", i, own, owner[own]-1)
			return
		}
		owner[own] = i + 1
	}
	k.good("blocks", "all %d accounted for: %d in slots, %d of them full, %d with seats", g.Blocks, len(slots), full, g.Spec.Seats)
}
