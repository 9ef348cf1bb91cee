//go:build failpoint

package ring

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
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

func init() {
	arm = func(point string, nth int, action string) {
		failpoint.Hook = func(p failpoint.Point) {
			name := p.String()
			if nth > 0 && strings.TrimSuffix(point, "-failed")+"-pending" == name && point != name {
				time.Sleep(100 * time.Microsecond) // let somebody else be first
			}
			if name != point {
				return
			}
			if nth--; nth != 0 {
				return
			}
			if action == "kill" {
				_ = unix.Kill(os.Getpid(), unix.SIGKILL)
				for {
					_, _ = unix.Poll(nil, -1)
				}
			}
			_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP) // stands still right here
		}
	}
}

// stopped reports whether a child stands still.
func stopped(p *child.Proc) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "T")
}

// hits waits until a child has hit its point. It is false if the child ends before, or
// does not come by.
func hits(p *child.Proc, action string) bool {
	for end := time.Now().Add(progressLimit); time.Now().Before(end); time.Sleep(50 * time.Microsecond) {
		select {
		case <-p.Exited():
			exit, ok := errors.AsType[*exec.ExitError](p.Wait())
			return ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		default:
		}
		if action == "stop" && stopped(p) {
			return true
		}
	}
	return false
}

// inherits leaves something to settle: the seat of a producer and of a consumer with
// a message in hand that seem to have been killed, or two messages to adopt.
func (x *torture) inherits(p failpoint.Point) {
	x.t.Helper()
	seats := layout.SeatsAt(x.s.Memory(), x.s.Spec().Seats)
	var left []interface{ Close() error }
	var taken []int
	if p < failpoint.AdoptTaken {
		e := mustEnd(x.t, func() (*Producer[labelled], error) { return NewProducer[labelled](x.s, nil) })
		left, taken = append(left, e), append(taken, e.seat.Index)
	}
	for range 2 {
		c := mustEnd(x.t, func() (*Consumer[labelled], error) { return NewConsumer[labelled](x.s, nil) })
		until(x.t, "a message for a consumer", func() bool { return second(c.Peek()) == nil })
		left, taken = append(left, c), append(taken, c.seat.Index)
	}
	for _, e := range left {
		wantErr(x.t, "Close", e.Close(), nil)
	}
	if p < failpoint.AdoptTaken {
		for _, i := range taken {
			seats[i].State.Store(layout.SeatTaken) // and its lock is free
		}
	}
}

func mustEnd[E any](t *testing.T, take func() (E, error)) E {
	t.Helper()
	e, err := take()
	wantErr(t, "an end", err, nil)
	return e
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
		x.flows("the pool was stopped", 0, 1, 2, 3)
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
	const line = 5
	nth := 1 + x.random.IntN(20)
	if p == failpoint.SendFailed || p == failpoint.TakeFailed {
		nth = 1 + x.random.IntN(3)
	}
	still := action == "kill" && p < failpoint.WakeBefore && p != failpoint.TakePart &&
		p != failpoint.SendFailed && p != failpoint.TakeFailed && x.random.IntN(2) == 0 && x.freeze(role)
	if still {
		nth = 1
	}
	quiet := p >= failpoint.SettleBegin // nobody else may settle first
	if quiet {
		nth = 1
		if p != failpoint.SitTaken {
			for _, i := range []int{1, 3} {
				wantErr(x.t, "Stop", x.pool[i].Stop(), nil)
			}
			x.inherits(p)
		}
	}
	victim := x.start(role, line, p.String(), nth, action)
	ok := hits(victim, action)
	if quiet && p != failpoint.SitTaken {
		for _, i := range []int{1, 3} {
			wantErr(x.t, "Cont", x.pool[i].Cont(), nil)
		}
	}
	what := fmt.Sprintf("%s, %s at %v", role, action, p)
	if still {
		if ok {
			x.died(victim, line)
			wantSound(x.t, what+", not settled", x.s)
			x.settle() // while what it did is the last that was done
			x.frozen++
		}
		x.thaw()
		if ok {
			x.flows(what+" while others stood still", 0, 1, 2, 3)
			return true
		}
	}
	if !ok {
		victim.Kill()
		x.doubt += x.j.Lines[line].Calling.Swap(0)
		return false
	}
	if action == "kill" {
		x.died(victim, line)
		x.flows(what, 0, 1, 2, 3)
		if x.random.IntN(2) == 0 {
			x.settle()
		}
		return true
	}
	x.stops++
	x.flows(what, 0, 1, 2, 3)
	wantErr(x.t, "Reap", second(x.s.Reap()), nil)
	if x.random.IntN(2) == 0 {
		wantErr(x.t, "Cont", victim.Cont(), nil)
		before := x.j.Lines[line].Progress.Load()
		for end := time.Now().Add(progressLimit); x.j.Lines[line].Progress.Load() == before; time.Sleep(20 * time.Microsecond) {
			if time.Now().After(end) {
				x.stuck++
				x.t.Errorf("%s: it does not get on after it was continued", what)
				break
			}
		}
	}
	wantErr(x.t, "kill", syscall.Kill(victim.Pid(), syscall.SIGKILL), nil)
	x.died(victim, line)
	x.flows(what+", and killed", 0, 1, 2, 3)
	return true
}

const hitsEach = 20

func TestFailpointTorture(t *testing.T) {
	needSegments(t)
	seed := seed(t)
	var all tally
	n := uint64(0)
	for _, role := range []string{"produce", "consume", "reap"} {
		for _, p := range pointsOf[role] {
			n++
			t.Run(fmt.Sprint(role, " ", p), func(t *testing.T) {
				slots, pack := 4, int(1+n%2*7)
				if p == failpoint.TakePart {
					pack = 8
				}
				x := newTorture(t, exchangeSpec[labelled](t, slots, pack), newRand(seed, n), true)
				x.packed = p == failpoint.TakePart
				for i := range x.pool {
					x.fill(i)
				}
				x.flows("the start", 0, 1, 2, 3)
				count := map[string]int{}
				missed := 0
				for i := 0; i < hitsEach+hitsEach/4 && !t.Failed(); i++ {
					action := "kill"
					if i >= hitsEach {
						action = "stop"
					}
					if x.hit(role, p, action) {
						count[action]++
					} else if missed++; missed > 3 {
						t.Errorf("%s does not come to %v: hits %v", role, p, count)
					}
				}
				if !t.Failed() {
					x.finish(x.pool[:]...)
				}
				t.Logf("%s at %v: %d killed, %d stopped, %d did not come by", role, p, count["kill"], count["stop"], missed)
				all.add(&x.tally)
			})
		}
	}
	all.print(t)
	t.Logf("of these kills %d while others stood still", all.frozen)
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
