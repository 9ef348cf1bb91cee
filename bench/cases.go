package bench

import (
	"fmt"
	"slices"
)

// What is measured.
const (
	Throughput = "throughput" // one way, as fast as it goes
	RoundTrip  = "round trip"
	OneWay     = "one way, fixed rate" // latency from the instant at which an element was due
	Idle       = "idle"                // processor time while nothing comes
)

// Case is one measurement of several entrants, in turn within one run.
type Case struct {
	Name      string // such as SPSC/Single/size=8/slots=1024
	What      string // Throughput, …
	Size      int    // bytes of an element or message
	Slots     int    // of a ring of elements
	Ring      int    // bytes of the memory through which the payload goes
	N         int    // operations a sample
	Sides     int    // processes, half of them producers
	Producers int    // if not 0: so many, and one consumer
	Sleeps    bool   // the sides sleep in the kernel
	By        []Entrant
}

// Entrant is one competitor. The first of a case is Ringway, or a case has but one.
type Entrant struct {
	Name   string
	Ask    string // scenario
	Timed  string // scenario, or native command, that times each operation, "" for none
	Native string // command of the native peer instead, without the count
	Bound  bool   // does only a part of the work; the slowest of these of a round bounds the others
}

// Sizes of elements and messages, slots, and rates of the cases.
var (
	Sizes     = []int{8, 64, 256}
	SlotSizes = []int{1024, 65536}
	MsgSizes  = []int{64, 1 << 10, 64 << 10, 1 << 20}
	Batches   = []int{8, 32, 256}
	Rates     = []int{10_000, 100_000, 1_000_000, 5_000_000}
)

const (
	mpmcMessages  = 64
	fixedRateSize = 64 // an element that fills a cache line; what a fixed rate shows is the wait, not the copy
)

// MsgRings is the sizes in bytes of the rings that messages of a size go through: some that the caches hold, and 16 MiB at most.
func MsgRings(size int) []int {
	switch {
	case size <= 64:
		return []int{128 << 10, 8 << 20}
	case size <= 1<<10:
		return []int{2 << 20, 16 << 20}
	}
	return []int{4 << 20, 16 << 20}
}

// Cases is all there is to measure, in the order of tables.
func Cases() []Case {
	return slices.Concat(elementCases("SPSC", "ringway"), elementCases("MPMC", "mpmc"), msgCases(), limitCases(), growCases())
}

func elementCases(kind, name string) (cs []Case) {
	for _, size := range Sizes {
		for _, slots := range SlotSizes {
			at := fmt.Sprintf(" %d %d", size, slots)
			c := Case{What: Throughput, Size: size, Slots: slots, Ring: size * slots, N: max(200_000, 4*slots), Sides: 2}
			single := c.with("%s/Single", kind).by(name + " tp" + at)
			place := c.with("%s/InPlace", kind).by(name + " place" + at)
			if kind == "SPSC" {
				single = single.native("rigtorp", "tp rigtorp"+at).native("slotword", "tp seq"+at)
				place = place.native("rigtorp", "tp rigtorp"+at)
			} else {
				single = single.other("vyukov", "vyukov tp"+at)
			}
			cs = append(cs, single, place)
			c.N *= 4
			for _, k := range Batches {
				batch := c.with("%s/Batch%d", kind, k).by(name + " batch" + suffix(k) + at)
				if kind == "SPSC" {
					batch = batch.native("rigtorp-single", "tp rigtorp"+at)
				} else {
					batch = batch.other("packed", "mpmc pack"+suffix(k)+at)
				}
				cs = append(cs, batch)
			}
			if kind == "MPMC" {
				cs = append(cs, crowdCases(c, at)...)
			}
		}
		cs = append(cs, latencyCases(kind, name, size)...)
	}
	idle := Case{Name: kind + "/Idle", What: Idle, Size: 8, Slots: 1024, N: 300, Sides: 2, Sleeps: true}
	return append(cs, idle.by(name+" idle"))
}

// crowdCases have two processes on each side. N is a multiple of the batch times the sides.
func crowdCases(c Case, at string) []Case {
	c.Sides, c.N = 4, 1<<18
	return []Case{
		c.with("MPMC/2P2C/Single").by("mpmc many"+at).other("vyukov", "vyukov many"+at),
		c.with("MPMC/2P2C/Batch32").by("mpmc many-pack" + at),
		c.with("MPMC/2P2C/Blocking").by("mpmc many-wait" + at),
	}
}

func latencyCases(kind, name string, size int) (cs []Case) {
	at := fmt.Sprintf(" %d 1024", size)
	c := Case{What: RoundTrip, Size: size, Slots: 1024, Ring: size * 1024, N: 20_000, Sides: 2}
	spin := c.with("%s/RoundTrip/wait=spin", kind).by(name + " rtt" + at).timed(name + " rtt-timed" + at)
	adapt := c.with("%s/RoundTrip/wait=adaptive", kind).by(name+" default"+at).timed(name+" default-timed"+at).
		other("never-parking", name+" spin"+at).timed(name + " spin-timed" + at)
	if kind == "SPSC" {
		spin = spin.other("in-place", name+" place-rtt"+at).native("rigtorp", "rtt rigtorp"+at).timed("timed rigtorp"+at).native("slotword", "rtt seq"+at).timed("timed seq" + at)
		adapt = adapt.native("rigtorp", "rtt rigtorp"+at).timed("timed rigtorp" + at)
	}
	c.N, c.Sleeps = 500, true
	parked := c.with("%s/RoundTrip/wait=blocked", kind).by(name+" parked"+at).timed(name+" parked-timed"+at).native("futex", "futexpp").timed("futexpp-timed")
	cs = append(cs, spin, adapt, parked)
	if size != fixedRateSize {
		return cs
	}
	for _, rate := range Rates {
		c := Case{What: OneWay, Size: size, Slots: 1024, Ring: size * 1024, N: max(rate/50, 200), Sides: 2}
		at := fmt.Sprintf(" %d %d", size, rate)
		cs = append(cs,
			c.with("%s/FixedRate/wait=spin", kind).rate(rate).timed(name+" paced-spin"+at),
			c.with("%s/FixedRate/wait=adaptive", kind).rate(rate).timed(name+" paced"+at))
	}
	return cs
}

func msgCases() (cs []Case) {
	for _, size := range MsgSizes {
		for i, capacity := range MsgRings(size) {
			at := fmt.Sprintf(" %d %d", size, capacity)
			c := Case{What: Throughput, Size: size, Ring: capacity, N: min(200_000, 64<<20/size), Sides: 2}
			cs = append(cs,
				c.with("Msg/Copy").by("ringway msg copy"+at),
				c.with("Msg/InPlace").by("ringway msg place"+at).other("memcpy-one-core", fmt.Sprintf("memcpy %d", size)))
			if i > 0 {
				continue
			}
			c.What, c.N = RoundTrip, min(20_000, 16<<20/size)
			cs = append(cs,
				c.with("Msg/RoundTrip/wait=spin").by("ringway msg rtt"+at),
				c.with("Msg/RoundTrip/wait=adaptive").by("ringway msg default"+at))
		}
		if size > 64<<10 {
			continue
		}
		at := fmt.Sprintf(" %d %d", size, mpmcMessages)
		c := Case{What: Throughput, Size: size, Slots: mpmcMessages, Ring: size * mpmcMessages, N: min(200_000, 64<<20/size), Sides: 2}
		cs = append(cs,
			c.with("MsgMPMC/Copy").by("mpmc msg copy"+at),
			c.with("MsgMPMC/InPlace").by("mpmc msg place"+at))
	}
	return cs
}

// suffix of a scenario with batches of k: none for 32, which every ring is compared at.
func suffix(k int) string {
	if k == 32 {
		return ""
	}
	return fmt.Sprint(k)
}
