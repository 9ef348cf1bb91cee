package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// rawTrips is how many raw round trips one probe takes.
const rawTrips = 1000

// roundTries is how often a round is begun anew because the placement changed within it.
const roundTries = 5

// Runner measures cases on given CPUs. One goroutine at a time.
type Runner struct {
	cpus   []int
	native *Native // nil: without the native entrants
	Note   string  // why there are none, for people
}

// NewRunner starts what the cases share. cpus are at least two, of which the first producer and the first consumer get
// the first two. The native peer is left out if it is not wanted or, with a Note, if there is no compiler.
func NewRunner(ctx context.Context, cpus []int, native bool) (*Runner, error) {
	r := &Runner{cpus: cpus}
	if !native {
		return r, nil
	}
	path, err := BuildNative(ctx)
	if errors.Is(err, ErrNoCompiler) {
		r.Note = err.Error()
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.native, err = StartNative(path, [2]int(cpus))
	return r, err
}

// Close ends what the cases shared.
func (r *Runner) Close() {
	if r.native != nil {
		_ = r.native.Close()
	}
}

// Run is one case under way.
type Run struct {
	Case      Case
	Discarded map[string]int // samples, by reason

	r      *Runner
	pair   *Pair
	cells  map[cellKey]*cell
	rounds map[Class]int
}

// cellKey is what figures are kept apart by.
type cellKey struct {
	by    string
	class Class
}

// warmUps is how many samples of each entrant are thrown away at first: pages, caches and branch predictors are cold.
const warmUps = 2

// longSample is what a sample should take at most. shortRun is what its operations are a multiple of, for the sake of batches.
const (
	longSample = 30 * time.Millisecond
	shortRun   = 512
)

// Start starts fresh processes for a case, so that no case inherits another's memory. Close ends them.
func (r *Runner) Start(c Case) (*Run, error) {
	pair, err := r.sides(c)
	if err != nil {
		return nil, err
	}
	if r.native == nil {
		c.By = slices.DeleteFunc(slices.Clone(c.By), func(e Entrant) bool { return e.Native != "" })
	}
	run := &Run{Case: c, Discarded: map[string]int{}, r: r, pair: pair, cells: map[cellKey]*cell{}, rounds: map[Class]int{}}
	if err := run.warmUp(); err != nil {
		_ = pair.Close()
		return nil, err
	}
	return run, pair.Hide()
}

func (r *Runner) sides(c Case) (*Pair, error) {
	if c.Producers > 0 {
		return StartProducers(r.cpus, c.Producers, 0)
	}
	return StartSides(r.cpus, c.Sides, 0)
}

// warmUp attaches everybody, throws the first samples away, and makes the others shorter if one would take so long that the
// placement hardly lasts.
func (run *Run) warmUp() error {
	c := run.Case
	if c.What == Idle {
		run.Case.N = 1 // enough to attach
	}
	slowest := 0.0 // ns per operation
	for range warmUps {
		slowest = 0
		for _, e := range c.By {
			one, err := run.entry(e)
			if err != nil {
				return err
			}
			if one.plain != nil {
				slowest = max(slowest, one.plain.Ns)
			}
		}
	}
	run.Case.N = c.N
	if limit := float64(longSample) / slowest; !c.Sleeps && c.What != OneWay && float64(c.N) > limit {
		run.Case.N = max(int(limit)/shortRun*shortRun, shortRun)
	}
	return nil
}

// Close ends the processes of the case.
func (run *Run) Close() error { return run.pair.Close() }

// Kill ends a round that is under way with an error, from any goroutine.
func (run *Run) Kill() { run.pair.Kill() }

// entry is one accepted sample of an entrant, with the timed one beside it.
type entry struct {
	by           string
	plain, timed *Sample
}

// Round takes one sample of every entrant, in turn, and files them if all of them count and were taken in one placement
// class; else it tries again, a few times. It reports whether it filed.
func (run *Run) Round() (bool, error) {
	for range roundTries {
		entries, why, err := run.once()
		if err != nil {
			return false, err
		}
		if why != "" {
			run.Discarded[why]++
			continue
		}
		class, bound := entries[0].class(), run.bound(entries)
		for _, e := range entries {
			k := cellKey{e.by, class}
			if run.cells[k] == nil {
				run.cells[k] = new(cell)
			}
			run.cells[k].add(e, run.Case)
			run.cells[k].bounded(e, bound)
		}
		run.rounds[class]++
		return true, nil
	}
	return false, nil
}

// bound returns how long the slowest of those took who do only a part of the work, 0 if there are none.
func (run *Run) bound(entries []entry) (ns float64) {
	for i, e := range entries {
		if run.Case.By[i].Bound && e.plain != nil {
			ns = max(ns, e.plain.Ns)
		}
	}
	return ns
}

func (e entry) class() Class {
	if e.plain != nil {
		return e.plain.Class()
	}
	return e.timed.Class()
}

// Rounds returns how many rounds were filed, in the class that has most.
func (run *Run) Rounds() (most int) {
	for _, n := range run.rounds {
		most = max(most, n)
	}
	return most
}

// once takes a sample of everybody, or says why the round does not count.
func (run *Run) once() (entries []entry, why string, err error) {
	for _, e := range run.Case.By {
		one, err := run.entry(e)
		if err != nil {
			return nil, "", err
		}
		for _, s := range []*Sample{one.plain, one.timed} {
			if s == nil {
				continue
			}
			if why = s.Discard(); why != "" {
				return nil, why, nil
			}
			if len(entries) > 0 && s.Class() != entries[0].class() || s.Class() != one.class() {
				return nil, "placement changed between entrants", nil
			}
		}
		entries = append(entries, one)
	}
	return entries, "", nil
}

// entry takes the samples of one entrant.
func (run *Run) entry(e Entrant) (one entry, err error) {
	one.by = e.Name
	if e.Native != "" {
		if one.plain, err = run.nativeSample(e.Native); err == nil {
			one.timed, err = run.nativeSample(e.Timed)
		}
		return one, err
	}
	if one.plain, err = run.sample(e.Ask); err == nil {
		one.timed, err = run.sample(e.Timed)
	}
	return one, err
}

// nativeSample takes one of the native peer; the command "" gives none.
func (run *Run) nativeSample(command string) (*Sample, error) {
	if command == "" {
		return nil, nil
	}
	res, err := run.r.native.Run(fmt.Sprintf("%s %d", command, run.Case.N))
	res.Sleeps = run.Case.Sleeps
	return &res.Sample, err
}

// sample takes one; the scenario "" gives none.
func (run *Run) sample(scenario string) (*Sample, error) {
	if scenario == "" {
		return nil, nil
	}
	q := Request{Scenario: scenario, N: run.Case.N, Trips: rawTrips, Sleeps: run.Case.Sleeps}
	if run.Case.What == Throughput {
		q.Stream = run.Case.Ring
	}
	s, err := run.pair.Measure(q)
	return &s, err
}
