package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"ringway/bench"
)

// measure takes the samples of all cases.
func (o *benchOptions) measure(ctx context.Context) (*bench.Report, error) {
	live := newBenchLive(len(o.cases))
	defer live.end()
	live.say("building the native peers")
	r, err := bench.NewRunner(ctx, o.cpus, o.native)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	report := bench.NewReport(o.command, o.cpus)
	if r.Note != "" {
		report.Notes = append(report.Notes, r.Note)
	}
	for i, c := range o.cases {
		live.begin(i, c.Name)
		if err := o.measureCase(ctx, r, c, report); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	if len(report.Rows) == 0 {
		return nil, fmt.Errorf("no sample counted (discarded: %v): the CPUs are too busy, try a longer --limit", report.Lost)
	}
	return report, nil
}

// measureCase takes rounds until there are enough in one class, or until the time is up.
func (o *benchOptions) measureCase(ctx context.Context, r *bench.Runner, c bench.Case, report *bench.Report) (err error) {
	run, err := r.Start(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	defer context.AfterFunc(ctx, run.Kill)()
	for end := time.Now().Add(o.limit); run.Rounds() < o.samples && time.Now().Before(end); {
		if _, err := run.Round(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	report.Add(run)
	if len(run.Rows()) == 0 {
		report.Notes = append(report.Notes, c.Name+": no sample counted")
	}
	return nil
}

// benchLive is a line on standard error, if that is a terminal, that says how far the bench is.
type benchLive struct {
	on    bool
	cases int
	begun time.Time
}

func newBenchLive(cases int) *benchLive {
	return &benchLive{on: isTerminal(2), cases: cases, begun: time.Now()}
}

func (l *benchLive) say(text string) {
	if l.on {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", text)
	}
}

func (l *benchLive) begin(i int, name string) {
	left := ""
	if i > 0 {
		took := time.Since(l.begun)
		left = fmt.Sprintf(", %v left", (took / time.Duration(i) * time.Duration(l.cases-i)).Round(time.Second))
	}
	l.say(fmt.Sprintf("%d of %d%s: %s", i+1, l.cases, left, name))
}

func (l *benchLive) end() { l.say("") }
