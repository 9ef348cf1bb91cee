package main

import (
	"strings"
	"testing"

	"ringway/bench"
)

// A curve says how each step compares with the first, of the same entrant, size and class.
func TestBenchGrowth(t *testing.T) {
	o := benchOptions{samples: 7}
	row := func(name, by string, median float64) bench.Row {
		return bench.Row{Case: name, What: bench.Throughput, By: by, Regime: "N", Size: 8, Samples: 7, Min: 1, Median: median, Max: 99}
	}
	rows := []bench.Row{
		row("Grow/slots=64/size=8", "ringway", 4), row("Grow/slots=64/size=8", "rigtorp", 5),
		row("Grow/slots=256/size=8", "ringway", 2), row("Grow/slots=256/size=8", "rigtorp", 10),
		row("SPSC/Single/size=8/slots=1024", "ringway", 3),
	}
	var b strings.Builder
	o.growth(&b, rows)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines of a head and two curves of two steps:\n%s", len(lines), b.String())
	}
	for i, want := range []string{"COST AS IT GROWS", "ringway\tN\t7\t4ns\t1ns\t99ns\t1\t", "slots=256\t8\tringway\tN\t7\t2ns\t1ns\t99ns\t0.5\t", "rigtorp\tN\t7\t5ns", "99ns\t2\t"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, which lacks %q", i, lines[i], want)
		}
	}
	for i, length := range map[int]int{1: growthWidth, 2: growthWidth / 2, 3: growthWidth / 2, 4: growthWidth} {
		if n := strings.Count(lines[i], "#"); n != length {
			t.Errorf("a bar of %d in %q, want %d", n, lines[i], length)
		}
	}
	b.Reset()
	if o.growth(&b, rows[4:]); b.Len() > 0 {
		t.Errorf("a curve of nothing: %q", b.String())
	}
	b.Reset()
	if o.tableOf(&b, bench.Throughput, rows); strings.Contains(b.String(), "Grow") || !strings.Contains(b.String(), "SPSC/Single") {
		t.Errorf("curves stand among the other cases:\n%s", b.String())
	}
}
