//go:build failpoint

package ring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/internal/failpoint"
	"ringway/layout"
)

// victimLine of the journal is for who is killed or stopped at a point; the last is the auditor's.
const victimLine = 14

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
