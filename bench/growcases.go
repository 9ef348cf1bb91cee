package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// What grows: rings between one pair of processes, slots of one ring, producers beside one consumer.
var (
	GrowRings     = []int{1, 8, 16, 64}
	GrowSlots     = []int{1 << 6, 1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22}
	GrowProducers = []int{1, 2, 4, 8, 16}
)

// growSizes are those of the elements: eight to a cache line, and one.
var growSizes = []int{8, 64}

const (
	growRingSlots  = 1024       // of each of several rings, and of the ring of several producers
	nativeRingsMax = 64<<20 - 1 // bytes of the two rings that the native peer makes
)

// growCases measure how the cost of an element grows with the number of rings, slots and producers.
func growCases() (cs []Case) {
	for _, size := range growSizes {
		at := fmt.Sprintf(" %d %d", size, growRingSlots)
		for _, rings := range GrowRings {
			c := Case{What: Throughput, Size: size, Slots: growRingSlots, Ring: rings * size * growRingSlots, N: max(200_000, 4*rings*growRingSlots), Sides: 2}
			cs = append(cs, c.with("Grow/rings=%d", rings).
				by(fmt.Sprintf("ringway fan%d", rings)+at).other("staggered", fmt.Sprintf("ringway apart%d", rings)+at))
		}
	}
	for _, size := range growSizes {
		for _, slots := range GrowSlots {
			at := fmt.Sprintf(" %d %d", size, slots)
			c := Case{Name: fmt.Sprintf("Grow/slots=%d/size=%d", slots, size), What: Throughput, Size: size, Slots: slots, Ring: size * slots,
				N: max(200_000, 4*slots), Sides: 2}
			c = c.by("ringway tp" + at)
			if 2*c.Ring < nativeRingsMax {
				c = c.native("rigtorp", "tp rigtorp"+at)
			}
			cs = append(cs, c)
		}
	}
	for _, size := range growSizes {
		at := fmt.Sprintf(" %d %d", size, growRingSlots)
		for _, producers := range GrowProducers {
			c := Case{What: Throughput, Size: size, Slots: growRingSlots, Ring: size * growRingSlots, N: 1 << 18, Sides: producers + 1, Producers: producers}
			how := " many"
			if producers == 1 {
				how = " tp" // each side has a CPU of its own, so nobody yields
			}
			cs = append(cs, c.with("Grow/producers=%d", producers).by("mpmc"+how+at).other("vyukov", "vyukov"+how+at))
		}
	}
	return cs
}

// Growth returns what grows in a case of the group Grow, and how far it has: rings, 8.
func (r Row) Growth() (axis string, step int, ok bool) {
	name, ok := strings.CutPrefix(r.Case, "Grow/")
	if !ok {
		return "", 0, false
	}
	name, _, _ = strings.Cut(name, "/")
	axis, value, _ := strings.Cut(name, "=")
	step, err := strconv.Atoi(value)
	return axis, step, err == nil && step > 0
}
