//go:build failpoint

package ring

import (
	"errors"
	"fmt"
	"io"
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

// seated is an end and its seat.
type seatedEnd struct {
	io.Closer
	seat int
}

func (x *torture) producer() seatedEnd {
	x.t.Helper()
	if x.s.Spec().Payload == layout.Message {
		e := mustEnd(x.t, func() (*MsgProducer, error) { return NewMsgProducer(x.s, nil) })
		return seatedEnd{e, e.seat.Index}
	}
	e := mustEnd(x.t, func() (*Producer[labelled], error) { return NewProducer[labelled](x.s, nil) })
	return seatedEnd{e, e.seat.Index}
}

// holder is a consumer with a message in hand.
func (x *torture) holder() seatedEnd {
	x.t.Helper()
	if x.s.Spec().Payload == layout.Message {
		e := mustEnd(x.t, func() (*MsgConsumer, error) { return NewMsgConsumer(x.s, nil) })
		until(x.t, "a message for a consumer", func() bool { return second(e.Peek()) == nil })
		return seatedEnd{e, e.seat.Index}
	}
	e := mustEnd(x.t, func() (*Consumer[labelled], error) { return NewConsumer[labelled](x.s, nil) })
	until(x.t, "a message for a consumer", func() bool { return second(e.Peek()) == nil })
	return seatedEnd{e, e.seat.Index}
}

// inherits leaves something to settle: the seat of a producer and of a consumer with
// a message in hand that seem to have been killed, or two messages to adopt.
func (x *torture) inherits(p failpoint.Point) {
	x.t.Helper()
	seats := layout.SeatsAt(x.s.Memory(), x.s.Spec().Seats)
	var left []seatedEnd
	if p < failpoint.AdoptTaken {
		left = append(left, x.producer())
	}
	left = append(left, x.holder(), x.holder())
	for _, e := range left {
		wantErr(x.t, "Close", e.Close(), nil)
	}
	if p < failpoint.AdoptTaken {
		for _, e := range left {
			seats[e.seat].State.Store(layout.SeatTaken) // and its lock is free
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

// settles says whether a point is part of recovery, so that nobody else may settle first.
func settles(p failpoint.Point) bool {
	return p >= failpoint.SettleBegin && p != failpoint.SitTaken
}

// sends starts a child that is to hit a point the nth time that it comes by, with
// something to settle if the point is about that, and waits until it has.
func (x *torture) sends(role string, p failpoint.Point, nth int, action string) (victim *child.Proc, ok bool) {
	x.t.Helper()
	if p >= failpoint.SettleBegin {
		nth = 1
	}
	if !settles(p) {
		victim = x.start(role, victimLine, p.String(), nth, action)
		return victim, hits(victim, action)
	}
	for i := 1; i < len(x.pool); i += 2 { // consumers, which would settle first
		wantErr(x.t, "Stop", x.pool[i].Stop(), nil)
	}
	x.inherits(p)
	victim = x.start(role, victimLine, p.String(), nth, action)
	ok = hits(victim, action)
	for i := 1; i < len(x.pool); i += 2 {
		wantErr(x.t, "Cont", x.pool[i].Cont(), nil)
	}
	return victim, ok
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

// buries is died for the victim.
func (x *torture) buries(victim *child.Proc) { x.died(victim, victimLine) }

// continues lets a stopped child go on, which it must.
func (x *torture) continues(victim *child.Proc, what string) {
	x.t.Helper()
	before := x.j.Lines[victimLine].Progress.Load()
	wantErr(x.t, "Cont", victim.Cont(), nil)
	for end := time.Now().Add(progressLimit); x.j.Lines[victimLine].Progress.Load() == before; time.Sleep(20 * time.Microsecond) {
		if time.Now().After(end) {
			x.stuck++
			x.t.Errorf("%s: it does not get on after it was continued", what)
			return
		}
	}
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
