//go:build failpoint

package ring

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"ringway/internal/failpoint"
)

// rates are what the pool got done with and without somebody who stands still.
type rates struct {
	without, with []float64 // messages per second, sample by sample; without: the mean of before and after
	shares        []float64 // of each sample
	stall         time.Duration
}

func (r *rates) add(before, with, after float64) {
	without := (before + after) / 2
	r.without, r.with, r.shares = append(r.without, without), append(r.with, with), append(r.shares, with/without)
}

// best is the share by the best samples, which say most where somebody else uses the processors.
func (r *rates) best() float64 { return slices.Max(r.with) / slices.Max(r.without) }

func (r *rates) String() string {
	return fmt.Sprintf("others %.2f M/s beside it, %.2f M/s without it: min %.0f %%, median %.0f %%, max %.0f %%, best to best %.0f %%, longest stall %v",
		median(r.with)/1e6, median(r.without)/1e6, 100*slices.Min(r.shares), 100*median(r.shares), 100*slices.Max(r.shares), 100*r.best(), r.stall)
}

// watch counts what both sides of the pool do for a while, and looks for the longest time in which
// one of them did nothing.
func (x *torture) watch(d time.Duration) (perSecond float64, stall time.Duration) {
	begin := time.Now()
	first := x.sum(x.everybody()...)
	last, moved := first, [2]time.Time{begin, begin}
	for now := begin; now.Sub(begin) < d; {
		time.Sleep(500 * time.Microsecond)
		now = time.Now()
		at := x.sum(x.everybody()...)
		for side := range at {
			if at[side] != last[side] {
				moved[side] = now
			}
			stall = max(stall, now.Sub(moved[side]))
		}
		last = at
	}
	return float64(last[1]-first[1]) / time.Since(begin).Seconds(), stall
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

const (
	rateSamples = 5
	rateTime    = 25 * time.Millisecond
	rateWarm    = 5 * time.Millisecond // not counted: a process has just come or gone
)

// standStill measures one producer and one consumer beside a third process that stands
// still at a point, and without it, in turn. Without a role there is no third: what the
// samples differ by then is noise.
func (x *torture) standStill(role string, p failpoint.Point) (r rates, ok bool) {
	x.t.Helper()
	what := fmt.Sprintf("%s, stopped at %v", role, p)
	for misses := 0; len(r.with) < rateSamples; {
		before, _ := x.watch(rateTime)
		if role == "" {
			with, _ := x.watch(rateTime)
			after, _ := x.watch(rateTime)
			r.add(before, with, after)
			continue
		}
		nth := 1 + x.random.IntN(20)
		if p == failpoint.SendFailed || p == failpoint.TakeFailed {
			nth = 1
		}
		victim, ok := x.sends(role, p, nth, "stop")
		if !ok {
			victim.Kill()
			if misses++; misses > 3 {
				x.t.Errorf("%s does not come to %v", role, p)
				return r, false
			}
			continue
		}
		x.stops++
		x.flows(what, x.everybody()...)
		x.watch(rateWarm)
		with, stall := x.watch(rateTime)
		r.stall = max(r.stall, stall)
		x.continues(victim, what)
		wantErr(x.t, "kill", syscall.Kill(victim.Pid(), syscall.SIGKILL), nil)
		x.buries(victim)
		x.settle()
		x.flows(what+", and killed", x.everybody()...)
		x.watch(rateWarm)
		after, _ := x.watch(rateTime)
		r.add(before, with, after)
	}
	return r, true
}

// TestFailpointStopRate stops a process at every point and measures the others. The
// figures are printed; what must be is that nothing is lost or doubled, that the others
// get on, and that the stopped one does when it is continued.
func TestFailpointStopRate(t *testing.T) {
	needSegments(t)
	seed := seed(t)
	var all tally
	var points, best []float64
	var sum rates
	n := uint64(0)
	run := func(name, role string, p failpoint.Point) {
		n++
		t.Run(name, func(t *testing.T) {
			spec := exchangeSpec[labelled](t, 1024, 1)
			if p == failpoint.TakePart {
				spec = exchangeSpec[labelled](t, 1024, 8)
			}
			x := newTorture(t, spec, 1, newRand(seed, n), true)
			x.packed, x.steady = p == failpoint.TakePart, true
			for i := range x.pool {
				x.fill(i)
			}
			x.flows("the start", x.everybody()...)
			r, ok := x.standStill(role, p)
			if !ok || t.Failed() {
				return
			}
			x.finish(x.pool...)
			t.Logf("%s: %v", name, &r)
			all.add(&x.tally)
			if role != "" {
				points, best = append(points, median(r.shares)), append(best, r.best())
				sum.with, sum.without = append(sum.with, r.with...), append(sum.without, r.without...)
				sum.shares, sum.stall = append(sum.shares, r.shares...), max(sum.stall, r.stall)
			}
		})
	}
	for i := range 3 {
		run(fmt.Sprint("nobody, for comparison ", i), "", 0)
	}
	for _, role := range []string{"produce", "consume", "reap"} {
		for _, p := range pointsOf[role] {
			run(fmt.Sprintf("%s stopped at %v", role, p), role, p)
		}
	}
	all.print(t)
	if len(points) > 0 {
		t.Logf("all %d samples at %d points: %v", len(sum.shares), len(points), &sum)
		for what, v := range map[string][]float64{"medians": points, "best to best": best} {
			t.Logf("points by %s: min %.0f %%, median %.0f %%, max %.0f %%", what, 100*slices.Min(v), 100*median(v), 100*slices.Max(v))
		}
	}
}
