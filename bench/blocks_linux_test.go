package bench

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// BenchmarkVyukov measures the exchange ring beside Vyukov's queue in Go and in C++, sample by sample in turn: single elements,
// and packed by 32. 1P1C is two processes, a CPU each; 2P2C is four on the same two CPUs, that is oversubscribed, where whoever
// made no progress in 64 tries gives the CPU away. Reported per placement class (S siblings, N near, F far): the median in ns
// per element, and both Vyukov's (single elements) as multiples of it, so above 1 means Ringway is faster.
func BenchmarkVyukov(b *testing.B) {
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
	for _, m := range []struct {
		name, suffix string
		n            int
	}{{"1P1C", "", 200_000}, {"2P2C", "2", 640_000}} {
		for _, size := range []int{8, 64} {
			b.Run(fmt.Sprintf("%s/%dB", m.name, size), func(b *testing.B) {
				runMPMC(b, pair, native, m.suffix, size, m.n)
			})
		}
	}
}

// nativePeer starts the C++ peers, if there is a compiler.
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

func runMPMC(b *testing.B, pair *Pair, native *Native, suffix string, size, n int) {
	team := suffix != ""
	var tally Tally
	add := func(name string, s Sample, err error) {
		if err != nil {
			b.Fatal(err)
		}
		if team {
			s.Switches = 0 // four processes on two CPUs take turns
		}
		tally.Add(name, s)
	}
	at := fmt.Sprintf("%s %d 1024", suffix, size)
	rings := map[string]string{"single": "mpmc tp" + at, "packed": "mpmc pack" + at}
	peers := []string{"vyukov-go", "vyukov-c++"}
	for b.Loop() {
		for _, name := range slices.Sorted(maps.Keys(rings)) {
			s, err := pair.Sample(rings[name], n, 1000)
			add(name, s, err)
		}
		s, err := pair.Sample("vyukov tp"+at, n, 1000)
		add(peers[0], s, err)
		if native != nil {
			r, err := native.Run(fmt.Sprintf("tp%s vyukov %d 1024 %d", suffix, size, n))
			add(peers[1], r.Sample, err)
		}
	}
	b.ReportMetric(0, "ns/op") // a sample's duration says nothing
	var text strings.Builder
	for _, class := range []Class{Siblings, Near, Far} {
		values := tally.Values[class]
		for _, name := range slices.Sorted(maps.Keys(values)) {
			s := SpreadOf(values[name])
			fmt.Fprintf(&text, "%v %s %.2f [%.2f-%.2f] n=%d; ", class, name, s.Median, s.Min, s.Max, s.N)
		}
		for name := range rings {
			ours := SpreadOf(values[name])
			if ours.N == 0 {
				continue
			}
			b.ReportMetric(ours.Median, fmt.Sprintf("%v-%s-ns", class, name))
			for _, peer := range peers {
				if p := SpreadOf(values[peer]); p.N > 0 {
					b.ReportMetric(p.Median/ours.Median, fmt.Sprintf("%v-%s-x-%s", class, name, peer))
				}
			}
		}
	}
	b.Log(text.String(), "discarded: ", fmt.Sprint(tally.Discarded))
}

func TestTeams(t *testing.T) {
	p := startPair(t)
	for _, what := range []string{"mpmc tp2", "mpmc pack2", "vyukov tp2"} {
		for _, size := range []int{8, 64} {
			for range 2 { // every run leaves the ring as it found it
				if s, err := p.Sample(fmt.Sprintf("%s %d 1024", what, size), 6400, 100); err != nil || !(s.Ns > 0) {
					t.Fatalf("%s %d: %+v, %v", what, size, s, err)
				}
			}
		}
	}
}

func TestTeamOrder(t *testing.T) {
	for _, c := range []struct {
		marks []uint64
		fails bool
	}{
		{[]uint64{0, 1 << producerShift, 1, 1<<producerShift | 5, 7}, false},
		{[]uint64{3, 3}, true},
		{[]uint64{3, 1 << producerShift, 2}, true},
		{[]uint64{2 << producerShift}, true},
	} {
		func() {
			defer func() {
				if failed := recover() != nil; failed != c.fails {
					t.Errorf("%v: refused %v, want %v", c.marks, failed, c.fails)
				}
			}()
			var o teamOrder
			for _, m := range c.marks {
				o.saw(m)
			}
		}()
	}
}
