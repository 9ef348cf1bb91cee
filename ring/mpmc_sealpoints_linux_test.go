//go:build failpoint

package ring

import (
	"fmt"
	"testing"
	"time"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// sealPoints are reached once in the life of a ring, by who shuts it down, and by a
// consumer if that one did not get so far.
var sealPoints = []failpoint.Point{failpoint.SealState, failpoint.SealDone}

// A shutdown cut short at any point is finished by whoever comes.
func TestFailpointSeal(t *testing.T) {
	needSegments(t)
	seed := seed(t)
	var all tally
	n := uint64(0)
	for _, role := range []string{"shut down", "consume"} {
		for _, p := range sealPoints {
			t.Run(fmt.Sprint(role, " ", p), func(t *testing.T) {
				hit, missed := 0, 0
				for hit < hitsEach && !t.Failed() {
					n++
					x := newTorture(t, exchangeSpec[labelled](t, 4, 1), 2, newRand(seed, n), true)
					action := "kill"
					if hit%4 == 3 {
						action = "stop"
					}
					if x.seal(role, p, action) {
						hit++
					} else if missed++; missed > 5*hitsEach {
						t.Errorf("%s does not come to %v", role, p)
					}
					all.add(&x.tally)
				}
				t.Logf("%s at %v: %d hits, %d were late", role, p, hit, missed)
			})
		}
	}
	all.print(t)
}

// seal ends a ring through a child that hits a point on the way, unless somebody else seals first.
func (x *torture) seal(role string, p failpoint.Point, action string) bool {
	x.t.Helper()
	const line = victimLine
	x.fill(0)
	x.fill(2)
	if role == "shut down" {
		x.fill(1)
		x.flows("the start", 0, 1, 2)
	} else {
		until(x.t, "something is in the ring", func() bool { return x.j.Lines[0].Progress.Load()+x.j.Lines[2].Progress.Load() > 0 })
		x.s.Control().State.Store(layout.StateShutdown) // the caller of Shutdown died behind its first step
	}
	victim := x.start(role, line, p.String(), 1, action)
	hit := hits(victim, action)
	if role == "consume" {
		x.fill(1)
	}
	if hit && action == "kill" {
		x.died(victim, line)
	}
	x.ended(0, 1, 2) // with nobody's help
	if hit && action == "stop" {
		x.stops++
		wantErr(x.t, "Cont", victim.Cont(), nil)
	}
	if !hit || action == "stop" {
		victim.Expect("closed")
		wantErr(x.t, "a child that was not killed", victim.Wait(), nil)
	}
	x.audit()
	return hit
}

// ended waits for members of the pool that find out by themselves that the ring was shut down.
func (x *torture) ended(members ...int) {
	x.t.Helper()
	for _, i := range members {
		select {
		case <-x.pool[i].Exited():
		case <-time.After(progressLimit):
			x.stuck++
			x.t.Fatalf("member %d of the pool does not end: %+v", i, statsOf(x.s))
		}
		x.pool[i].Expect("closed")
		wantErr(x.t, "a child", x.pool[i].Wait(), nil)
	}
}
