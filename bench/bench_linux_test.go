package bench

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The benchmarks measure Ringway between pinned processes, and the native peers in turn with it. An iteration is a round: one
// sample of every entrant, all in one placement class. Every entrant and class gets a line of its own, on which N is the
// number of samples and ns/op their median per element, message, or round trip; README.md of docs/bench explains the
// other units. -bench selects by part: SPSC/Single/size=8$/slots=1024.

func BenchmarkSPSC(b *testing.B)    { benchmark(b) }
func BenchmarkMPMC(b *testing.B)    { benchmark(b) }
func BenchmarkMsg(b *testing.B)     { benchmark(b) }
func BenchmarkMsgMPMC(b *testing.B) { benchmark(b) }
func BenchmarkGrow(b *testing.B)    { benchmark(b) }

// sayMachine prints what benchstat takes for the configuration of the run, and so must be the same in the next one, and
// the cost of the clock, which it must not take for that.
var sayMachine = sync.OnceFunc(func() {
	fmt.Printf("machine: %s\nOne reading of the clock takes %.1f ns.\n", Machine(), ClockCost())
})

func benchmark(b *testing.B) {
	cpus, err := benchCPUs()
	if err != nil {
		b.Skip(err)
	}
	r, err := NewRunner(b.Context(), cpus, true)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	sayMachine()
	if r.Note != "" {
		b.Log(r.Note)
	}
	group := strings.TrimPrefix(b.Name(), "Benchmark")
	for _, c := range Cases() {
		if name, ok := strings.CutPrefix(c.Name, group+"/"); ok {
			b.Run(name, func(b *testing.B) { benchmarkCase(b, r, c) })
		}
	}
}

func benchmarkCase(b *testing.B, r *Runner, c Case) {
	run, err := r.Start(c)
	if err != nil {
		b.Fatal(err)
	}
	defer run.Close()
	for b.Loop() {
		if _, err := run.Round(); err != nil {
			b.Fatal(err)
		}
	}
	rows := run.Rows()
	if len(rows) == 0 {
		b.ReportMetric(0, "ns/op")
		b.Log("no round counted: ", run.Discarded)
	}
	for _, row := range rows {
		b.Run(fmt.Sprintf("by=%s/regime=%s", row.By, row.Regime), func(b *testing.B) { report(b, row) })
	}
}

// report prints a row. The work was done before: there is no loop here.
func report(b *testing.B, r Row) {
	//lint:ignore SA3001 the samples behind the figures, for the column of iterations
	b.N = r.Samples
	if r.CPU > 0 {
		b.ReportAllocs() // of the processes that did the work
	}
	for _, m := range r.Metrics() {
		b.ReportMetric(m.Value, m.Unit)
	}
	if r.Median == 0 {
		b.ReportMetric(0, "ns/op") // a percentile is the figure
	}
}

// benchCPUs is as many CPUs as a case can use, at least two.
func benchCPUs() ([]int, error) {
	if _, err := TwoCPUs(); err != nil {
		return nil, err
	}
	cpus, err := AllowedCPUs()
	return cpus[:min(len(cpus), 4)], err
}

// The names of cases are selected by part, so the parts must mean the same everywhere.
func TestCases(t *testing.T) {
	var names []string
	for _, c := range Cases() {
		names = append(names, c.Name)
		for _, e := range c.By {
			for _, s := range []string{e.Ask, e.Timed} {
				if s != "" && e.Native == "" && !Registered(s) {
					t.Errorf("%s: scenario %q of %s is not registered", c.Name, s, e.Name)
				}
			}
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(Cases()) {
		t.Error("two cases have one name")
	}
	for pattern, want := range map[string]int{
		"SPSC/Single/size=8$":                      2,
		"SPSC/Single/size=8$/slots=1024$":          1,
		"(SPSC|MPMC)/Batch32/size=64/slots=65536$": 2,
		"^Msg$/InPlace/size=1MiB":                  2,
		"MPMC/2P2C/Single/size=8$":                 2,
		"Grow/rings=":                              8,
		"Grow/slots=4096/size=64":                  1,
		"Grow/producers=16":                        2,
		"":                                         len(Cases()),
		"SPSC/Nothing":                             0,
	} {
		if got, err := Select(Cases(), pattern); err != nil || len(got) != want {
			t.Errorf("%q selects %d cases (%v), want %d", pattern, len(got), err, want)
		}
	}
	if _, err := Select(Cases(), "SPSC/("); err == nil {
		t.Error("a bad pattern is no error")
	}
}
