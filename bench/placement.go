// Package bench measures rings between two processes, each pinned to one CPU.
//
// On a virtual machine two CPUs are not where the guest believes: the host moves them between SMT siblings, cores of one
// last-level cache and cores of different ones, and every number of a ring moves with them by a factor of three to five.
// So each sample is bracketed by a raw cache-line round trip (Probe), counted only if both brackets agree and nobody was
// preempted, and compared only within its placement class. Variants to be compared run interleaved, in one run.
package bench

import (
	"sort"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Class is the placement of the two CPUs during one sample.
type Class byte

// The classes, from the raw round trip of two cache lines: S is SMT siblings, N two cores under one last-level cache,
// F two different last-level caches. The limits are constants that fit both machines they were tried on, not a law: on AMD
// Zen 3 the three levels are 80–100, 120–180 and 430–600 ns, on Zen 5 45–100, 110–215 and 500–730, with nothing in between.
// A machine whose levels lie elsewhere needs limits of its own: print the probes and look for the gaps.
const (
	Siblings Class = 'S'
	Near     Class = 'N'
	Far      Class = 'F'
	Any      Class = 'A' // the sides slept: no placement lasts
)

// Upper limits of Siblings and Near in ns per round trip of the raw probe.
const (
	siblingsBelow = 105.0
	nearBelow     = 250.0
)

// sameProbe is how far apart the two probes of one sample may lie, as a ratio, even within one class.
const sameProbe = 1.25

// ClassOf returns the class of a raw round trip in ns.
func ClassOf(probe float64) Class {
	switch {
	case probe < siblingsBelow:
		return Siblings
	case probe < nearBelow:
		return Near
	}
	return Far
}

// Classes is all of them, in the order of tables.
var Classes = []Class{Siblings, Near, Far, Any}

func (c Class) String() string {
	if c == Any {
		return "any"
	}
	return string(rune(c))
}

// Sample is one run of one scenario between two probes.
type Sample struct {
	Ns       float64 // per operation
	Before   float64 // raw line round trip before, ns
	After    float64 // and after
	Switches int     // involuntary context switches of all sides during the work
	Stolen   int     // ticks that the host took from the two CPUs
	Crowded  bool    // there are more sides than CPUs, so that switches are part of it
	Sleeps   bool    // the sides sleep in the kernel meanwhile: they are moved about, and preemption is part of it

	Stream     float64                 // the raw one-way stream just before, bytes per ns, if asked for
	Allocs     float64                 // heap allocations of all sides, per operation
	AllocBytes float64                 // and their bytes
	CPU        float64                 // processor time of all sides, ns per operation
	Latency    *hdrhistogram.Histogram // of a scenario that times each operation, ns
}

// Class returns the placement class, meaningful if the sample counts.
func (s Sample) Class() Class {
	if s.Sleeps {
		return Any
	}
	return ClassOf(s.After)
}

// Discard returns why the sample does not count, or "".
func (s Sample) Discard() string {
	switch {
	case s.Stolen > 0:
		return "host stole time"
	case s.Sleeps:
		return ""
	case ClassOf(s.Before) != ClassOf(s.After), s.Before > sameProbe*s.After, s.After > sameProbe*s.Before:
		return "placement changed"
	case s.Switches > 0 && !s.Crowded:
		return "preempted"
	}
	return ""
}

// Spread is what a table prints of one scenario in one class.
type Spread struct {
	N                int
	Min, Median, Max float64
}

// SpreadOf sorts v and summarises it.
func SpreadOf(v []float64) Spread {
	if len(v) == 0 {
		return Spread{}
	}
	sort.Float64s(v)
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (m + v[len(v)/2-1]) / 2
	}
	return Spread{len(v), v[0], m, v[len(v)-1]}
}

// Tally collects samples by name and class, and why others were discarded.
type Tally struct {
	Values    map[Class]map[string][]float64
	Discarded map[string]int
	Accepted  int
}

// Add files ns under the name and the sample's class if the sample counts, and reports whether it does.
func (t *Tally) Add(name string, s Sample) bool {
	if t.Values == nil {
		t.Values, t.Discarded = map[Class]map[string][]float64{}, map[string]int{}
	}
	if why := s.Discard(); why != "" {
		t.Discarded[why]++
		return false
	}
	c := s.Class()
	if t.Values[c] == nil {
		t.Values[c] = map[string][]float64{}
	}
	t.Values[c][name] = append(t.Values[c][name], s.Ns)
	t.Accepted++
	return true
}
