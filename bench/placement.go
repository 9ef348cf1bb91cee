// Package bench measures rings between two processes, each pinned to one CPU.
//
// On a virtual machine two CPUs are not where the guest believes: the host moves them between SMT siblings, cores of one
// last-level cache and cores of different ones, and every number of a ring moves with them by a factor of three to five.
// So each sample is bracketed by a raw cache-line round trip (Probe), counted only if both brackets agree and nobody was
// preempted, and compared only within its placement class. Variants to be compared run interleaved, in one run.
package bench

import (
	"fmt"
	"sort"
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

func (c Class) String() string { return string(rune(c)) }

// Sample is one run of one scenario between two probes.
type Sample struct {
	Ns       float64 // per operation
	Before   float64 // raw line round trip before, ns
	After    float64 // and after
	Switches int     // involuntary context switches of both sides during the work
	Stolen   int     // ticks that the host took from the two CPUs
}

// Class returns the placement class, meaningful if the sample counts.
func (s Sample) Class() Class { return ClassOf(s.After) }

// Discard returns why the sample does not count, or "".
func (s Sample) Discard() string {
	switch {
	case ClassOf(s.Before) != ClassOf(s.After), s.Before > sameProbe*s.After, s.After > sameProbe*s.Before:
		return "placement changed"
	case s.Stolen > 0:
		return "host stole time"
	case s.Switches > 0:
		return "preempted"
	}
	return ""
}

// Scenario is work that two processes share. Both sides register it under the same name, which happens by itself when
// Register is called from init or before ChildMain.
type Scenario struct {
	Name  string
	Bytes int // shared memory that both sides get, zeroed before every run
	// Producer and Consumer do n operations. They start together; the clock runs from there until both have returned.
	// A side that sees a wrong payload panics, which ends the run with an error.
	Producer, Consumer func(mem []byte, n int)
	// Attach, if set, replaces Producer and Consumer: it is called once in each process, before its first run, in the
	// consumer after the producer's has returned, with a directory that both see, and returns the work. Bytes may be 0,
	// and mem is zeroed only at the start.
	Attach func(side Side, dir string, mem []byte) (run func(n int), err error)
}

// Side says which end of a scenario a process is.
type Side int

// The two sides. Producer runs on the first CPU and holds the clock.
const (
	ProducerSide Side = iota
	ConsumerSide
)

// ProbeName is a scenario that does nothing: its sample is the two probes.
const ProbeName = "probe"

var scenarios = map[string]Scenario{
	ProbeName: {Name: ProbeName, Producer: func([]byte, int) {}, Consumer: func([]byte, int) {}},
}

// Register adds a scenario of two functions over bytes of zeroed shared memory.
func Register(name string, bytes int, producer, consumer func(mem []byte, n int)) {
	RegisterScenario(Scenario{Name: name, Bytes: bytes, Producer: producer, Consumer: consumer})
}

// RegisterScenario adds a scenario; a name taken twice is a bug of the caller and panics.
func RegisterScenario(s Scenario) {
	if _, ok := scenarios[s.Name]; ok || s.Name == "" {
		panic(fmt.Sprintf("bench: scenario name %q is empty or taken", s.Name))
	}
	scenarios[s.Name] = s
}

// Registered reports whether there is a scenario of that name.
func Registered(name string) bool {
	_, ok := scenarios[name]
	return ok
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
