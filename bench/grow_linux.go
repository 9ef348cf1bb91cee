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
		addRings(fmt.Sprintf("ringway fan%d %d %d", rings, spec.Elem.Size, growRingSlots), spec, rings, fan[T])
	}
}

// fan is a stream over all of the rings. A visit moves one element at most and never waits, as a server does that has many to look after.
func fan[T element](side Side, seg []*shm.Segment) (func(int) []int64, error) {
	at := make([]uint64, len(seg)) // elements moved over each ring so far
	if side == ProducerSide {
		ps := make([]*ring.Producer[T], len(seg))
		for i := range ps {
			var err error
			if ps[i], err = ring.NewProducer[T](seg[i], nil); err != nil {
				return nil, err
			}
		}
		return untimed(func(n int) { pushFan(ps, at, n) }, nil)
	}
	cs := make([]*ring.Consumer[T], len(seg))
	for i := range cs {
		var err error
		if cs[i], err = ring.NewConsumer[T](seg[i], nil); err != nil {
			return nil, err
		}
	}
	return untimed(func(n int) { popFan(cs, at, n) }, nil)
}

func pushFan[T element](ps []*ring.Producer[T], at []uint64, n int) {
	var v T
	for left := n; ; {
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
	for left := n; ; {
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
