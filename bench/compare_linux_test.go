package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// contest is one measurement of several competitors, run in turn within one run.
type contest struct {
	name     string
	n        int
	sleeping bool // competitors sleep: no SCHED_FIFO, and preemption is part of it
	ringway  string
	native   map[string]string // competitor to its command, without the count
}

func contests() (cs []contest) {
	for _, size := range []int{8, 64, 256} {
		for _, slots := range []int{1024, 65536} {
			n := max(200_000, 4*slots)
			at := fmt.Sprintf("%d %d", size, slots)
			cs = append(cs, contest{name: fmt.Sprintf("Single/%dB/%d", size, slots), n: n, ringway: "ringway tp " + at,
				native: map[string]string{"rigtorp": "tp rigtorp " + at, "slotword": "tp seq " + at}})
			cs = append(cs, contest{name: fmt.Sprintf("InPlace/%dB/%d", size, slots), n: n, ringway: "ringway place " + at,
				native: map[string]string{"rigtorp": "tp rigtorp " + at}})
			cs = append(cs, contest{name: fmt.Sprintf("Batch32/%dB/%d", size, slots), n: 4 * n, ringway: "ringway batch " + at,
				native: map[string]string{"rigtorp": "tp rigtorp " + at}})
		}
		at := fmt.Sprintf("%d 1024", size)
		cs = append(cs,
			contest{name: fmt.Sprintf("RoundTrip/%dB", size), n: 20_000, ringway: "ringway rtt " + at,
				native: map[string]string{"rigtorp": "rtt rigtorp " + at, "slotword": "rtt seq " + at}},
			contest{name: fmt.Sprintf("RoundTripDefault/%dB", size), n: 20_000, ringway: "ringway default " + at,
				native: map[string]string{"rigtorp": "rtt rigtorp " + at}})
	}
	return append(cs, contest{name: "RoundTripParked/8B", n: 300, sleeping: true, ringway: "ringway parked 8 1024",
		native: map[string]string{"futex": "futexpp"}})
}

// BenchmarkSPSC measures Ringway's rings between two pinned processes, beside the
// native peers, sample by sample in turn. Each iteration is one sample of everybody. What it
// reports is per placement class (S siblings, N near, F far): the median in ns, and
// the peers' medians as multiples of it, so above 1 means Ringway is faster.
func BenchmarkSPSC(b *testing.B) {
	cpus, err := TwoCPUs()
	if err != nil {
		b.Skip(err)
	}
	pair, err := StartPair(cpus, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer pair.Close()
	native := nativePeer(b, cpus)
	if native != nil {
		defer native.Close()
	}
	b.Log(Machine())
	for _, c := range contests() {
		b.Run(c.name, func(b *testing.B) { c.run(b, pair, native) })
	}
}

func nativePeer(b *testing.B, cpus [2]int) *Native {
	path, err := BuildNative(b.Context())
	if errors.Is(err, ErrNoCompiler) {
		b.Log(err)
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	n, err := StartNative(path, cpus)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func (c contest) run(b *testing.B, pair *Pair, native *Native) {
	const trips = 1000
	pair.Realtime = !c.sleeping
	var tally Tally
	add := func(name string, s Sample) {
		if c.sleeping {
			s.Switches = 0
			s.After = s.Before // asleep half of the time, it is moved about: one class for all
		}
		tally.Add(name, s)
	}
	for b.Loop() {
		s, err := pair.Sample(c.ringway, c.n, trips)
		if err != nil {
			b.Fatal(err)
		}
		add("ringway", s)
		for name, cmd := range c.native {
			if native == nil {
				continue
			}
			r, err := native.Run(fmt.Sprintf("%s %d", cmd, c.n))
			if err != nil {
				b.Fatal(err)
			}
			add(name, r.Sample)
		}
	}
	b.ReportMetric(0, "ns/op") // a sample's duration says nothing
	var text strings.Builder
	for _, class := range []Class{Siblings, Near, Far} {
		values := tally.Values[class]
		ours := SpreadOf(values["ringway"])
		if ours.N == 0 {
			continue
		}
		b.ReportMetric(ours.Median, class.String()+"-ns")
		fmt.Fprintf(&text, "%v ringway %.2f [%.2f-%.2f] n=%d", class, ours.Median, ours.Min, ours.Max, ours.N)
		for name := range c.native {
			if peer := SpreadOf(values[name]); peer.N > 0 {
				b.ReportMetric(peer.Median/ours.Median, class.String()+"-x-"+name)
				fmt.Fprintf(&text, "; %s %.2f [%.2f-%.2f] n=%d", name, peer.Median, peer.Min, peer.Max, peer.N)
			}
		}
		text.WriteString("\n")
	}
	if tally.Accepted > 0 {
		b.Log(text.String(), "discarded: ", fmt.Sprint(tally.Discarded))
	}
}
