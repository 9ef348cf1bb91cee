package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ringway/bench"
)

// benchOptions is the bench as asked for.
type benchOptions struct {
	cases   []bench.Case
	cpus    []int
	samples int
	limit   time.Duration // of a case
	native  bool
	json    bool
	html    string
	plots   string
	with    []string
	command string
}

const (
	benchMinLimit   = 10 * time.Millisecond
	benchMaxLimit   = time.Hour
	benchMaxSamples = 100_000
)

func benchCmd() *cobra.Command {
	o := benchOptions{}
	var cpus string
	var list, render bool
	c := &cobra.Command{
		Use:   "bench [CASE...]",
		Short: "Measure rings between processes of this machine",
		Long: `Bench measures rings between two processes, each pinned to a CPU, beside the
limits of the machine and, where g++ is installed, beside C++ rings of the same kind.

CASE selects as go test -bench does: regular expressions separated by slashes, one for
each part of a name. --list shows the names. Without CASE everything is measured, which
takes some minutes.

On a virtual machine the host moves the CPUs about, and every figure moves with them.
So each sample is taken between two probes of the raw cache-line round trip and
discarded if that changed, and figures are kept apart by class: S two threads of a core,
N two cores under one last-level cache, F two different caches. The entrants of a case
take turns within one class. Medians of fewer samples than --samples are marked *.

--html writes a page with plots that needs nothing else; --with adds figures of another
report, such as that of the peers. The exit status is 0 if all was measured, 1 if not,
2 for wrong use, 130 after Ctrl-C (SIGINT), 143 after SIGTERM and 129 after SIGHUP.`,
		Example: `  ringway bench --list
  ringway bench 'SPSC/Single/size=(8|64)$'
  ringway bench RoundTrip --cpus 0,1 --html latency.html
  ringway bench --json > today.json
  ringway bench --render --with today.json --with peers.json --html report.html`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.complete(args, cpus); err != nil {
				return err
			}
			switch {
			case list:
				return listCases(o.cases)
			case render && o.html == "" && o.plots == "":
				return usagef("--render draws what --with names; say where to with --html")
			case render && len(o.with) == 0:
				return usagef("--render measures nothing; name reports to draw with --with")
			}
			return o.run(c.Context(), render)
		},
	}
	f := c.Flags()
	f.StringVar(&cpus, "cpus", "", "pin the processes to these `CPUS`, such as 0,1 (default: the first that are allowed, up to 4)")
	f.IntVar(&o.samples, "samples", 7, "`N` samples of each entrant are wanted in one class")
	f.DurationVar(&o.limit, "limit", 3*time.Second, "give up on more samples of a case after `DURATION`")
	f.BoolVar(&o.native, "native", true, "measure C++ rings beside ours, if g++ is installed")
	f.BoolVar(&o.json, "json", false, "print one JSON object instead of tables")
	f.StringVar(&o.html, "html", "", "write a page with plots to `FILE`")
	f.StringVar(&o.plots, "plots", "", "write each plot as an SVG file into directory `DIR`")
	f.StringArrayVar(&o.with, "with", nil, "add the figures of report `FILE`, in JSON, to the page; may be repeated")
	f.BoolVar(&list, "list", false, "print the names of the cases and measure nothing")
	f.BoolVar(&render, "render", false, "draw the reports that --with names and measure nothing")
	return c
}

// complete checks the flags.
func (o *benchOptions) complete(patterns []string, cpus string) error {
	switch {
	case o.samples < 1 || o.samples > benchMaxSamples:
		return usagef("--samples %d is out of range; use 1 to %d", o.samples, benchMaxSamples)
	case o.limit < benchMinLimit || o.limit > benchMaxLimit:
		return usagef("--limit %v is out of range; use %v to %v", o.limit, benchMinLimit, benchMaxLimit)
	case len(o.with) > 0 && o.html == "" && o.plots == "":
		return usagef("--with adds to a page; say where to with --html")
	}
	all := bench.Cases()
	if len(patterns) == 0 {
		o.cases = all
	}
	for _, p := range patterns {
		found, err := bench.Select(all, p)
		if err != nil {
			return usageError{err}
		}
		if len(found) == 0 {
			return usagef("no case matches %q; --list shows their names", p)
		}
		for _, c := range found {
			if !slices.ContainsFunc(o.cases, func(have bench.Case) bool { return have.Name == c.Name }) {
				o.cases = append(o.cases, c)
			}
		}
	}
	o.command = "ringway " + strings.Join(os.Args[1:], " ")
	return o.parseCPUs(cpus)
}

func (o *benchOptions) parseCPUs(text string) error {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		cpu, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return usagef("--cpus %q are no CPUs; write them like 0,1", text)
		}
		if slices.Contains(o.cpus, int(cpu)) {
			return usagef("--cpus %s names CPU %d twice; both sides spin, so they need two", text, cpu)
		}
		o.cpus = append(o.cpus, int(cpu))
	}
	if len(o.cpus) < 2 {
		return usagef("--cpus %s is one CPU; both sides spin, so they need two, such as 0,1", text)
	}
	return nil
}

// allowedCPUs fills in the CPUs, or checks those asked for.
func (o *benchOptions) allowedCPUs() error {
	allowed, err := bench.AllowedCPUs()
	if err != nil {
		return err
	}
	for _, cpu := range o.cpus {
		if !slices.Contains(allowed, cpu) {
			return usagef("CPU %d may not be used here; allowed are %s", cpu, strings.Trim(fmt.Sprint(allowed), "[]"))
		}
	}
	if len(o.cpus) == 0 {
		o.cpus = allowed[:min(len(allowed), 4)]
	}
	if len(o.cpus) < 2 {
		return fmt.Errorf("two processes that spin need two CPUs, and only CPU %d may be used here", o.cpus[0])
	}
	return nil
}

// run measures, or only draws, and writes what was asked for.
func (o *benchOptions) run(ctx context.Context, render bool) error {
	reports, err := readReports(o.with)
	if err != nil {
		return err
	}
	if !render {
		own, err := o.measured(ctx)
		if err != nil {
			return err
		}
		if err := o.emit(own); err != nil {
			return err
		}
		reports = slices.Insert(reports, 0, own)
	}
	return o.draw(reports)
}

// measured measures until done or stopped by a signal.
func (o *benchOptions) measured(ctx context.Context) (*bench.Report, error) {
	if err := o.allowedCPUs(); err != nil {
		return nil, err
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			cancel(interrupted(s))
		case <-ctx.Done():
		}
	}()
	r, err := o.measure(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r, err
}

func listCases(cases []bench.Case) error {
	var b strings.Builder
	for _, c := range cases {
		fmt.Fprintln(&b, c.Name)
	}
	return emit([]byte(b.String()))
}
