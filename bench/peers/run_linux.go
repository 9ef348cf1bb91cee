package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"ringway/bench"
)

// How long a sample takes: long enough beside its start, short enough to stay in one placement. A run that needs longer than
// patience has failed.
const (
	spinningSample = 15 * time.Millisecond
	teamSample     = 30 * time.Millisecond
	sleepingSample = 60 * time.Millisecond
	patience       = 5 * time.Second
)

const (
	probeTrips  = 1000
	mostRounds  = 40  // of a group in whose regimes not everybody was seen often enough
	mostFailed  = 3   // runs of one competitor that did not finish
	firstCount  = 640 // operations of a warm-up
	mostCount   = 4e6 // of any sample
	evenCount   = 64  // a count is a multiple: two members of a team, 32 a batch
	wholeRegime = "-" // where somebody sleeps there is one regime
)

// runner measures groups. It starts the processes when they are needed and again when they have died.
type runner struct {
	cpus    [2]int
	path    string // of the native program
	designs []string
	missing []missingPeer
	journal *journal
	want    int // samples of each competitor in one regime

	pair    *bench.Pair
	native  *bench.Native
	threads *inProcess
}

type missingPeer struct {
	Peer string `json:"peer"`
	Todo string `json:"todo"`
}

// inventory asks the native program what it was built with.
func (r *runner) inventory(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, r.path, "--list").Output()
	if err != nil {
		return fmt.Errorf("peers: %s --list: %w: build it with bench/peers/build.sh", r.path, err)
	}
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		if m, ok := strings.CutPrefix(s.Text(), "missing "); ok {
			name, todo, _ := strings.Cut(m, ": ")
			r.missing = append(r.missing, missingPeer{name, todo})
			continue
		}
		if f := strings.Fields(s.Text()); len(f) > 3 {
			r.designs = append(r.designs, strings.Join(f[:3], " "))
		}
	}
	return nil
}

// present drops what was not built.
func (r *runner) present(g group) group {
	g.competitors = slices.DeleteFunc(slices.Clone(g.competitors), func(c competitor) bool {
		f := strings.Fields(c.cmd)
		return c.kind == inNative && len(f) > 3 && !slices.Contains(r.designs, strings.Join(f[:3], " "))
	})
	return g
}

func (r *runner) close() {
	if r.pair != nil {
		r.pair.Close()
	}
	if r.native != nil {
		r.native.Close()
	}
	if r.threads != nil {
		r.threads.Close()
	}
	r.pair, r.native, r.threads = nil, nil, nil
}

// sample runs one competitor for n operations.
func (r *runner) sample(g group, c competitor, n int) (s bench.Sample, err error) {
	switch c.kind {
	case inPair:
		if r.pair == nil {
			if r.pair, err = bench.StartPair(r.cpus, 0); err != nil {
				return s, err
			}
			r.pair.Patience = patience
		}
		r.pair.Realtime = !c.busy
		if s, err = r.pair.Sample(c.cmd, n, probeTrips); err != nil {
			r.pair.Close()
			r.pair = nil
		}
	case inNative:
		if r.native == nil {
			if r.native, err = bench.StartNative(r.path, r.cpus); err != nil {
				return s, err
			}
			r.native.Patience = patience
		}
		var v bench.NativeResult
		if v, err = r.native.Run(fmt.Sprintf("%s %d", c.cmd, n)); err != nil {
			r.native.Close()
			r.native = nil
		}
		s = v.Sample
	case inThreads:
		if r.threads == nil {
			if r.threads, err = startInProcess(r.cpus); err != nil {
				return s, err
			}
		}
		if s, err = r.threads.Sample(c.cmd, n, probeTrips); err != nil {
			r.threads.Close()
			r.threads = nil
		}
	}
	return s, err
}

// errTime says that the time given was used up; the next run goes on from there.
var errTime = errors.New("peers: the time is up: run it again to go on")

// measure runs a group until everybody was seen often enough in one regime, or it was tried long enough. The order of the
// competitors is the same in each round: A B C A B C.
func (r *runner) measure(ctx context.Context, g group, progress io.Writer) error {
	g = r.present(g)
	counts := map[string]int{}
	for !r.done(g) {
		round := r.rounds(g) + 1
		for _, c := range g.competitors {
			if ctx.Err() != nil {
				return errTime
			}
			if r.failures(g, c) >= mostFailed {
				continue
			}
			if counts[c.name] == 0 {
				counts[c.name] = firstCount
				if _, ok := r.one(g, c, counts, round); !ok {
					continue
				}
			}
			s, ok := r.one(g, c, counts, round)
			if !ok {
				continue
			}
			if regime := regimeOf(g, s); regime != "" {
				if err := r.journal.add(sample{Group: g.name, Peer: c.name, Regime: regime, Ns: s.Ns, Probe: s.After,
					N: counts[c.name], Round: round}); err != nil {
					return err
				}
			}
		}
		// A round in which nothing counted is a round too.
		if err := r.journal.add(sample{Group: g.name, Round: round}); err != nil {
			return err
		}
		fmt.Fprintf(progress, "\r  round %d: %s  ", round, r.state(g))
	}
	return nil
}

// one runs a sample and sets the count for the next; what fails goes into the journal.
func (r *runner) one(g group, c competitor, counts map[string]int, round int) (bench.Sample, bool) {
	n, begun := counts[c.name], time.Now()
	s, err := r.sample(g, c, n)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("bench: native %q: ", fmt.Sprintf("%s %d", c.cmd, n)))
		if time.Since(begun) >= patience {
			why = fmt.Sprintf("%d operations not finished within %v", n, patience)
		}
		counts[c.name] = max(evenCount, n/16/evenCount*evenCount)
		_ = r.journal.add(sample{Group: g.name, Peer: c.name, N: n, Round: round, Failed: why})
		return s, false
	}
	long := spinningSample
	switch {
	case g.sleeping:
		long = sleepingSample
	case g.team:
		long = teamSample
	}
	next := min(float64(long.Nanoseconds())/s.Ns, 4*float64(n)+20000, mostCount) // not at once: a warm-up is slow
	counts[c.name] = max(evenCount, int(next)/evenCount*evenCount)
	return s, true
}

// regimeOf says where the sample belongs, or "" if it does not count.
func regimeOf(g group, s bench.Sample) string {
	if g.sleeping || g.team {
		s.Switches = 0
	}
	if g.sleeping {
		s.After = s.Before // asleep half of the time, it is moved about
	}
	if s.Discard() != "" {
		return ""
	}
	if g.sleeping {
		return wholeRegime
	}
	return s.Class().String()
}

func (r *runner) rounds(g group) (n int) {
	for _, s := range r.journal.of(g.name) {
		n = max(n, s.Round)
	}
	return n
}

func (r *runner) failures(g group, c competitor) (n int) {
	for _, s := range r.journal.of(g.name) {
		if s.Peer == c.name && s.Failed != "" {
			n++
		}
	}
	return n
}

// seen counts the samples of everybody still in the race, by regime.
func (r *runner) seen(g group) map[string]map[string]int {
	n := map[string]map[string]int{}
	for _, s := range r.journal.of(g.name) {
		if s.Regime == "" {
			continue
		}
		if n[s.Regime] == nil {
			n[s.Regime] = map[string]int{}
		}
		n[s.Regime][s.Peer]++
	}
	return n
}

// fewest is how often whoever was seen least in the regime was seen.
func (r *runner) fewest(g group, seen map[string]int) int {
	least := mostRounds
	for _, c := range g.competitors {
		if r.failures(g, c) < mostFailed {
			least = min(least, seen[c.name])
		}
	}
	return least
}

func (r *runner) done(g group) bool {
	if r.rounds(g) >= mostRounds {
		return true
	}
	for _, seen := range r.seen(g) {
		if r.fewest(g, seen) >= r.want {
			return true
		}
	}
	return false
}

func (r *runner) state(g group) string {
	var parts []string
	for regime, seen := range r.seen(g) {
		parts = append(parts, fmt.Sprintf("%s %d of %d", regime, r.fewest(g, seen), r.want))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
