package main

import (
	"fmt"
	"io"
	"time"

	"ringway/internal/telemetry"
	"ringway/ring"
)

// demoLive shows where the demo is: one line that is repainted on a terminal, a
// line per second elsewhere, nothing with --json.
type demoLive struct {
	out      io.Writer
	silent   bool
	terminal bool
	slots    int

	name    string
	phase   demoPhase
	path    string // of the ring, "" for others
	start   uint64
	printed uint64        // when the last line was
	last    demoMark      // what that said
	latest  *demoProgress // from the consumer
	painted bool          // there is a line to be repainted
}

// demoMark is how many records had come at some time.
type demoMark struct{ records, at uint64 }

func newDemoLive(out io.Writer, o demoOptions) *demoLive {
	return &demoLive{out: out, silent: o.json, terminal: isTerminal(1), slots: o.slots}
}

// say prints facts between the phases.
func (v *demoLive) say(format string, args ...any) {
	if !v.silent {
		fmt.Fprintf(v.out, format, args...) // the writer itself ends the demo on an error
	}
}

func (v *demoLive) begin(name string, p demoPhase, path string) {
	now := telemetry.Now()
	v.name, v.phase, v.path, v.start, v.printed = name, p, path, now, now
	v.last, v.latest = demoMark{at: now}, nil
	if v.path != "" {
		if info, err := ring.Inspect(v.path); err == nil {
			v.last.records = info.Stats.Head
		}
	}
}

func (v *demoLive) progress(p demoProgress) { v.latest = &p }

// stop leaves a painted line behind, for an error to come below it.
func (v *demoLive) stop() {
	if v.painted {
		v.say("\n")
		v.painted = false
	}
}

// end prints how a phase went, in place of where it was.
func (v *demoLive) end(r phaseResult) {
	v.line(float64(r.Consumed.Elapsed)/1e9, r.RecordsPerSecond, -1, r.Consumed.Latency)
	v.stop()
}

// lineEvery is how often a line is printed where it cannot be repainted.
const lineEvery = uint64(time.Second)

func (v *demoLive) paint() {
	now := telemetry.Now()
	if v.silent || v.phase == "" || !v.terminal && now-v.printed < lineEvery-uint64(liveEvery)/2 {
		return
	}
	rate, depth, ok := v.look(now)
	if !ok {
		return
	}
	v.printed = now
	var l *latency
	if v.latest != nil {
		l = v.latest.Latency
	}
	v.line(float64(now-v.start)/1e9, rate, depth, l)
}

// line prints one line, on a terminal without its end.
func (v *demoLive) line(seconds, rate float64, depth int, l *latency) {
	text := fmt.Sprintf("%-11s  %-8s %6.1f s %11s/s", v.name, phaseName(v.phase), seconds, demoCount(rate))
	if l != nil {
		text += fmt.Sprintf("  p50 %-7s  p99 %-7s  max %-7s", demoTime(l.P50), demoTime(l.P99), demoTime(l.Max))
	} else {
		text += fmt.Sprintf("  %s/s", roughSize(uint64(rate*telemetry.Size)))
	}
	if depth >= 0 {
		text += fmt.Sprintf("  depth %d", depth)
	}
	if v.terminal {
		v.say("\r%s\x1b[K", text)
		v.painted = true
		return
	}
	v.say("%s\n", text)
}

// look returns the rate since the last look and, of a ring, how many records are in it.
// A ring is read from outside; of the others only their consumer knows.
func (v *demoLive) look(now uint64) (rate float64, depth int, ok bool) {
	is, depth := demoMark{}, -1
	if v.path != "" {
		info, err := ring.Inspect(v.path)
		if err != nil {
			return 0, 0, false // it is gone, or somebody damaged it: the peers say more
		}
		is, depth = demoMark{info.Stats.Head, now}, info.Stats.Len
	} else if v.latest != nil {
		is = demoMark{v.latest.Records, v.latest.At}
	}
	if is.at <= v.last.at {
		return 0, depth, v.path == "" && v.latest != nil // nothing new since
	}
	rate = float64(is.records-v.last.records) / (float64(is.at-v.last.at) / 1e9)
	v.last = is
	return rate, depth, true
}
