//go:build failpoint

package ring

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// Deaths and stops between any two steps. Which point is reached by whom:
var pointsOf = map[string][]failpoint.Point{
	"produce": {
		failpoint.SendFilled, failpoint.SendHeader, failpoint.SendVersion, failpoint.SendPending, failpoint.SendExchanged,
		failpoint.SendFailed, failpoint.SendSettled, failpoint.SendHinted, failpoint.WakeBefore,
		failpoint.SitTaken, failpoint.SettleBegin, failpoint.SettleOwned, failpoint.SettleRecord, failpoint.SettleDone,
	},
	"consume": {
		failpoint.TakeHeader, failpoint.TakeVersion, failpoint.TakePending, failpoint.TakeExchanged, failpoint.TakeFailed,
		failpoint.TakeUnacked, failpoint.TakeHinted, failpoint.TakePart, failpoint.TakeReleased, failpoint.WakeBefore,
		failpoint.SitTaken, failpoint.SettleBegin, failpoint.SettleOwned, failpoint.SettleRecord, failpoint.SettleDone,
		failpoint.AdoptTaken, failpoint.AdoptDone,
	},
	"reap": {failpoint.SettleBegin, failpoint.SettleOwned, failpoint.SettleRecord, failpoint.SettleDone},
}

// freeze stops the pool at a moment when a producer finds room or a consumer something
// to take. It is false, and nobody stopped, if there was no such moment.
func (x *torture) freeze(role string) bool {
	x.t.Helper()
	for range 20 {
		for _, p := range x.pool {
			wantErr(x.t, "Stop", p.Stop(), nil)
		}
		st := statsOf(x.s)
		if role == "produce" && st.Len < st.Cap || role == "consume" && st.Len > 0 {
			return true
		}
		x.thaw()
		x.flows("the pool was stopped", x.everybody()...)
	}
	return false
}

func (x *torture) thaw() {
	x.t.Helper()
	for _, p := range x.pool {
		wantErr(x.t, "Cont", p.Cont(), nil)
	}
}

// hit has one child hit a point and be killed or stopped there, and looks at the others.
func (x *torture) hit(role string, p failpoint.Point, action string) bool {
	x.t.Helper()
	nth := 1 + x.random.IntN(20)
	contended := p == failpoint.SendFailed || p == failpoint.TakeFailed
	if contended {
		nth = 1 + x.random.IntN(3)
	}
	still := action == "kill" && p < failpoint.WakeBefore && p != failpoint.TakePart &&
		!contended && x.random.IntN(2) == 0 && x.freeze(role)
	if still {
		nth = 1
	}
	victim, ok := x.sends(role, p, nth, action)
	what := fmt.Sprintf("%s, %s at %v", role, action, p)
	if still {
		if ok {
			x.buries(victim)
			wantSound(x.t, what+", not settled", x.s)
			x.settle() // while what it did is the last that was done
			x.frozen++
		}
		x.thaw()
		if ok {
			x.flows(what+" while others stood still", x.everybody()...)
			return true
		}
	}
	if !ok {
		victim.Kill()
		x.doubt += x.j.Lines[victimLine].Calling.Swap(0)
		return false
	}
	if action == "kill" {
		x.buries(victim)
		x.flows(what, x.everybody()...)
		if x.random.IntN(2) == 0 {
			x.settle()
		}
		return true
	}
	x.stops++
	x.flows(what, x.everybody()...)
	wantErr(x.t, "Reap", second(x.s.Reap()), nil)
	if x.random.IntN(2) == 0 {
		x.continues(victim, what)
	}
	wantErr(x.t, "kill", syscall.Kill(victim.Pid(), syscall.SIGKILL), nil)
	x.buries(victim)
	x.flows(what+", and killed", x.everybody()...)
	return true
}

// hitsEach is how often somebody is killed at each point of each role on each ring.
const hitsEach = 16

func TestFailpointTorture(t *testing.T) {
	needSegments(t)
	seed := seed(t)
	var all tally
	n := uint64(0)
	for _, role := range []string{"produce", "consume", "reap"} {
		for _, p := range pointsOf[role] {
			t.Run(fmt.Sprint(role, " ", p), func(t *testing.T) {
				for i, spec := range []layout.Spec{exchangeSpec[labelled](t, 4, 1), exchangeSpec[labelled](t, 2, 8), exchangeMsgSpec(t, 4, 64)} {
					if p == failpoint.TakePart && (spec.Pack == 1 || spec.Payload == layout.Message) {
						continue
					}
					n++
					x := newTorture(t, spec, 2, newRand(seed, n), true)
					x.packed = p == failpoint.TakePart
					x.hitAgain(role, p)
					t.Logf("%s at %v of %s: %d killed, %d stopped", role, p, [...]string{"elements", "packed elements", "messages"}[i], x.kills, x.stops)
					all.add(&x.tally)
				}
			})
		}
	}
	all.print(t)
	t.Logf("of these kills %d while others stood still", all.frozen)
}

// hitAgain kills and stops children at one point, and ends the ring.
func (x *torture) hitAgain(role string, p failpoint.Point) {
	t := x.t
	for i := range x.pool {
		x.fill(i)
	}
	x.flows("the start", x.everybody()...)
	missed := 0
	for i := 0; i < hitsEach+hitsEach/4 && !t.Failed(); i++ {
		action := "kill"
		if i >= hitsEach {
			action = "stop"
		}
		if !x.hit(role, p, action) {
			if missed++; missed > 3 {
				t.Errorf("%s does not come to %v: %d kills, %d stops", role, p, x.kills, x.stops)
			}
		}
	}
	if !t.Failed() {
		x.finish(x.pool...)
	}
}

// Every point is in a table above.
func TestFailpointsAllCovered(t *testing.T) {
	for p := range failpoint.Point(failpoint.Points) {
		covered := slices.Contains(sealPoints, p)
		for _, points := range pointsOf {
			covered = covered || slices.Contains(points, p)
		}
		if !covered {
			t.Errorf("nobody is killed at %v", p)
		}
	}
}
