package ring

import "fmt"

// conserved: every block lies in exactly one slot or belongs to exactly one seat. A seat that
// announces an exchange owns one of two blocks, whichever that leaves everybody with one.
func (x *exchangeCheck) conserved(p picture) {
	if p.twice >= 0 {
		_, _, block := x.o.load(uint64(p.twice))
		if block >= x.o.count {
			x.bad("blocks", "slot %d names block %d, there are %d", p.twice, block, x.o.count)
			return
		}
	}
	switch {
	case !p.still:
		x.good("blocks", changing)
		return
	case p.twice >= 0:
		x.bad("blocks", "slot %d names a block that lies in another slot too", p.twice)
		return
	}
	owner := map[uint64]int{}
	lost := func(i int, block uint64) {
		if at, ok := owner[block]; ok {
			x.bad("blocks", "seat %d owns block %d, which belongs to seat %d too", i, block, at)
		} else {
			x.bad("blocks", "seat %d owns block %d, which lies in a slot too", i, block)
		}
	}
	gone := func(block uint64) bool {
		_, owned := owner[block]
		return owned || block < x.o.count && p.inSlot[block/64]>>(block%64)&1 == 1
	}
	var open []int
	for i, r := range p.recs {
		if r.rec.Exchanging() {
			open = append(open, i)
			continue
		}
		if block := r.rec.Give(); gone(block) {
			lost(i, block)
			return
		}
		owner[r.rec.Give()] = i
	}
	for moved := true; moved; { // those that only one block is left for
		moved = false
		for k := 0; k < len(open); k++ {
			i := open[k]
			give, get := p.recs[i].rec.Give(), p.recs[i].rec.Get()
			switch {
			case gone(give) && gone(get):
				lost(i, give)
				return
			case gone(give):
				owner[get] = i
			case gone(get):
				owner[give] = i
			default:
				continue
			}
			open = append(open[:k], open[k+1:]...)
			moved, k = true, k-1
		}
	}
	if i := crowded(p.recs, open); i >= 0 {
		lost(i, p.recs[i].rec.Give())
		return
	}
	note := ""
	if len(open) > 0 {
		note = fmt.Sprintf(" (%d of them not told which of two yet)", len(open))
	}
	x.good("blocks", "all %d accounted for: %d in slots, %d of them full, %d with seats%s", x.o.count, x.slots, p.full, len(p.recs), note)
}

// crowded finds a seat in a group that shares fewer blocks than it has seats, -1 if every
// seat can own one of its two: as edges between blocks, no connected part has
// more edges than blocks.
func crowded(recs []seatRec, open []int) int {
	parent := map[uint64]uint64{}
	spare := map[uint64]int{} // blocks less seats of the group
	root := func(b uint64) uint64 {
		if _, ok := parent[b]; !ok {
			parent[b], spare[b] = b, 1
		}
		for parent[b] != b {
			b = parent[b]
		}
		return b
	}
	for _, i := range open {
		a, b := root(recs[i].rec.Give()), root(recs[i].rec.Get())
		if a != b {
			parent[b] = a
			spare[a] += spare[b]
		}
		if spare[a]--; spare[a] < 0 {
			return i
		}
	}
	return -1
}
