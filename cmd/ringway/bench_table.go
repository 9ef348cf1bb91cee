package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"

	"ringway/bench"
)

// emit prints the report as JSON or as tables.
func (o *benchOptions) emit(r *bench.Report) error {
	if o.json {
		return emitJSON(r)
	}
	return emit(table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "%s\nCPUs %v, one reading of the clock %s\n", r.Machine, r.CPUs, nanoseconds(r.Clock))
		for _, what := range []string{bench.Throughput, bench.RoundTrip, bench.OneWay, bench.Idle} {
			o.tableOf(w, what, r.Rows)
		}
		o.growth(w, r.Rows)
		if len(r.Lost) > 0 || len(r.Notes) > 0 {
			fmt.Fprintln(w)
		}
		for _, why := range slices.Sorted(maps.Keys(r.Lost)) {
			fmt.Fprintf(w, "samples discarded, %s: %d\n", why, r.Lost[why])
		}
		for _, note := range r.Notes {
			fmt.Fprintln(w, note)
		}
	}))
}

func (o *benchOptions) tableOf(w io.Writer, what string, rows []bench.Row) {
	heads := map[string]string{
		bench.Throughput: "THROUGHPUT\tBY\tCLASS\tSAMPLES\tMEDIAN\tMIN\tMAX\tM/S\tMB/S\t× STREAM\t× BOUND\tALLOCS/OP",
		bench.RoundTrip:  "ROUND TRIP\tBY\tCLASS\tSAMPLES\tMEDIAN\tMIN\tMAX\t× PROBE\tP50\tP90\tP99\tP99.9\tMAX",
		bench.OneWay:     "FIXED RATE, FROM WHEN IT WAS DUE\tBY\tCLASS\tSAMPLES\tPROBE\t× PROBE\tP50\tP90\tP99\tP99.9\tMAX",
		bench.Idle:       "IDLE\tBY\tCLASS\tSAMPLES\tCPU",
	}
	begun := false
	for _, r := range rows {
		if _, _, grows := r.Growth(); grows || r.What != what {
			continue
		}
		if !begun {
			fmt.Fprintf(w, "\n%s\n", heads[what])
			begun = true
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%d%s\t", r.Case, o.crowd(r), r.By, r.Regime, r.Samples, o.few(r))
		spread := fmt.Sprintf("%s\t%s\t%s", nanoseconds(r.Median), nanoseconds(r.Min), nanoseconds(r.Max))
		switch what {
		case bench.Throughput:
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", spread, digits(1e3/r.Median), digits(r.MBs), digits(r.XLimit), digits(r.XBound), allocs(r))
		case bench.RoundTrip:
			fmt.Fprintf(w, "%s\t%s\t%s\n", spread, digits(r.XProbe), percentilesOf(r.Latency))
		case bench.OneWay:
			fmt.Fprintf(w, "%s\t%s\t%s\n", nanoseconds(r.Probe), digits(r.XProbe), percentilesOf(r.Latency))
		case bench.Idle:
			fmt.Fprintf(w, "%s %%\n", digits(r.Load))
		}
	}
}

func percentilesOf(l *bench.Latency) string {
	if l == nil {
		return "-\t-\t-\t-\t-"
	}
	text := ""
	for _, ns := range []int64{l.P50, l.P90, l.P99, l.P999, l.Max} {
		text += nanoseconds(float64(ns)) + "\t"
	}
	return text[:len(text)-1]
}

// allocs says nothing of C++.
func allocs(r bench.Row) string {
	if r.CPU == 0 {
		return "-"
	}
	return strconv.FormatFloat(r.Allocs, 'f', 2, 64)
}

// nanoseconds writes three digits with a unit.
func nanoseconds(ns float64) string {
	if ns == 0 {
		return "-"
	}
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size {
			return digits(ns/u.size) + u.name
		}
	}
	return digits(ns) + "ns"
}

// digits writes three of them.
func digits(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
