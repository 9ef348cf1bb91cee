package bench

import (
	"fmt"
	"slices"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// The scenarios of rings that grow in size or number:
//
//	ringway fanRINGS SIZE SLOTS   one way over so many rings, each visited in turn for one element
//	ringway apartRINGS SIZE SLOTS the same, but each ring starts a cache line further on than the one before
//	ringway tp SIZE SLOTS         as for the other rings
func init() {
	registerGrowth[elem8]()
	registerGrowth[elem64]()
}

func registerGrowth[T element]() {
	for _, slots := range GrowSlots {
		if !slices.Contains(SlotSizes, slots) {
			ringsOf[T]{"ringway", specOf[T](layout.SPSC, slots), slots}.add("tp", oneWay[T](1))
		}
	}
	spec := specOf[T](layout.SPSC, growRingSlots)
	for _, rings := range GrowRings {
		addRings(fmt.Sprintf("ringway fan%d %d %d", rings, spec.Elem.Size, growRingSlots), spec, rings, fan[T](0))
		addRings(fmt.Sprintf("ringway apart%d %d %d", rings, spec.Elem.Size, growRingSlots), spec, rings, fan[T](64/int(spec.Elem.Size)))
	}
}

// fan is a stream over all of the rings. A visit moves one element at most and never waits, as a server does that has many to look after.
// The rings are mapped at pages, so the same slot of each, like the same control line, falls into one set of the first-level cache:
// apart is by how many slots each is ahead of the one before.
func fan[T element](apart int) work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		at := make([]uint64, len(seg)) // elements moved over each ring so far
		if side == ProducerSide {
			ps := make([]*ring.Producer[T], len(seg))
			for i := range ps {
				var err error
				if ps[i], err = ring.NewProducer[T](seg[i], nil); err != nil {
					return nil, err
				}
				pushFan(ps[i:i+1], at[i:i+1], i*apart)
			}
			return untimed(func(n int) { pushFan(ps, at, n) }, nil)
		}
		cs := make([]*ring.Consumer[T], len(seg))
		for i := range cs {
			var err error
			if cs[i], err = ring.NewConsumer[T](seg[i], nil); err != nil {
				return nil, err
			}
			popFan(cs[i:i+1], at[i:i+1], i*apart)
		}
		return untimed(func(n int) { popFan(cs, at, n) }, nil)
	}
}

func pushFan[T element](ps []*ring.Producer[T], at []uint64, n int) {
	var v T
	for left := n; left > 0; {
		for i, p := range ps {
			v[0] = at[i]
			if p.TryPush(v) != nil {
				continue
			}
			at[i]++
			if left--; left == 0 {
				return
			}
		}
	}
}

func popFan[T element](cs []*ring.Consumer[T], at []uint64, n int) {
	for left := n; left > 0; {
		for i, c := range cs {
			v, err := c.TryPop()
			if err != nil {
				continue
			}
			if v[0] != at[i] {
				panic(fmt.Sprintf("element %d of ring %d carries %d", at[i], i, v[0]))
			}
			at[i]++
			if left--; left == 0 {
				return
			}
		}
	}
}
