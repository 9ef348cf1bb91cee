package bench

import (
	"fmt"
	"testing"
)

// BenchmarkMPMC measures the exchange ring beside Vyukov's queue, both in Go, between one producer and one consumer
// process, sample by sample in turn. Reported per placement class: the median in ns, and Vyukov's as a multiple of it.
func BenchmarkMPMC(b *testing.B) {
	cpus, err := TwoCPUs()
	if err != nil {
		b.Skip(err)
	}
	pair, err := StartPair(cpus, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer pair.Close()
	b.Log(Machine())
	for _, size := range []int{8, 64} {
		b.Run(fmt.Sprintf("1P1C/%dB", size), func(b *testing.B) {
			var tally Tally
			names := []string{"mpmc tp", "mpmc pack", "vyukov tp"}
			for b.Loop() {
				for _, name := range names {
					s, err := pair.Sample(fmt.Sprintf("%s %d 1024", name, size), 200_000, 1000)
					if err != nil {
						b.Fatal(err)
					}
					tally.Add(name, s)
				}
			}
			b.ReportMetric(0, "ns/op") // a sample's duration says nothing
			for class, values := range tally.Values {
				v := SpreadOf(values["vyukov tp"])
				for _, name := range names[:2] {
					if ours := SpreadOf(values[name]); ours.N > 0 && v.N > 0 {
						b.Logf("%v %s %.2f [%.2f-%.2f] n=%d; vyukov %.2f [%.2f-%.2f] n=%d: x %.2f", class, name, ours.Median, ours.Min, ours.Max, ours.N, v.Median, v.Min, v.Max, v.N, v.Median/ours.Median)
					}
				}
			}
			b.Log("discarded: ", fmt.Sprint(tally.Discarded))
		})
	}
}
