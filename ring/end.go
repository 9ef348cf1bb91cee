package ring

import (
	"errors"
	"fmt"

	"ringway/futex"
	"ringway/internal/invariant"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

// end is what every handle is made of, whatever its kind: a seat, the events to
// park on and to wake, and what has gone wrong for good.
type end struct {
	segment *shm.Segment
	seat    *shm.Seat
	control *layout.Control
	own     *futex.Event // we park on it
	other   *futex.Event // the other side parks on it
	ready   readier      // whether a blocked call should look again
	inUse   invariant.InUse
	barrier bool  // parking needs a barrier, because the other side may publish without a fence
	asym    bool  // our own publishing needs no fence: on such a ring, once we are registered
	mapped  bool  // the race detector is blind here
	err     error // sticky: closed or corrupt
	spin    spin
	x       *blocks // on an MPMC ring
	reach   reach
	long    trial // of long pauses
}

// sit takes a seat for one side of s and fills in the end.
func (e *end) sit(s *shm.Segment, role layout.Role, payload layout.Payload, o *Options, ready readier) error {
	if o == nil {
		o = new(Options)
	}
	spec := s.Spec()
	if !spec.Kind.Ring() {
		open := "OpenVar"
		if spec.Kind == layout.Shared {
			open = "OpenShared"
		}
		return fmt.Errorf("%s: %w: it is %s (%v), no ring; use shm.%s", s.Path(), ErrKind, spec.Kind.Noun(), spec, open)
	}
	if spec.Payload != payload {
		return fmt.Errorf("%s: %w: it is a ring of %v, this end serves %v", s.Path(), ErrKind, plural(spec.Payload), plural(payload))
	}
	// An exchange is a full fence anyway, so an MPMC ring has no use for another.
	barrier := spec.Fence == layout.Asymmetric && spec.Kind == layout.SPSC
	if barrier {
		// The kernel may take tens of milliseconds for that. Nobody may publish without
		// a fence who does not answer to barriers, so until then we publish with one.
		if err := order.RegisterSoon(); err != nil {
			return fmt.Errorf("%s: %w; create the ring with a full fence: %w", s.Path(), shm.ErrFence, err)
		}
	}
	seat, err := s.Take(role, o.Name)
	if err != nil {
		return err
	}
	*e = end{segment: s, seat: seat, control: s.Control(), ready: ready, mapped: s.Mapped(),
		barrier: barrier, asym: barrier && order.Registered(), spin: newSpin(o.Spin)}
	e.own, e.other = s.Events()
	if role == layout.RoleProducer {
		e.own, e.other = e.other, e.own
	}
	if err := e.state(); errors.Is(err, ErrCorrupt) {
		return errors.Join(err, seat.Leave())
	}
	return nil
}

func plural(p layout.Payload) string {
	if p == layout.Fixed {
		return "fixed elements"
	}
	return "messages"
}

// state reads the ring's state: nil while it is open, shm.ErrClosed, or what is
// corrupt. It does not make the verdict stick.
func (e *end) state() error {
	switch st := e.control.State.Load(); st { // observes: the CAS in Shutdown and MarkCorrupt
	case layout.StateOpen:
		return nil
	case layout.StateShutdown:
		return shm.ErrClosed
	case layout.StateCorrupt:
		r, w := e.control.Reason.Load(), e.control.Where.Load() // observes: stored before the state
		return fmt.Errorf("%s: %w: %s, seen at position %d; remove it and create the ring again", e.segment.Path(), ErrCorrupt, layout.ReasonText(r), w)
	default:
		return e.corrupt(layout.ReasonState, uint64(st))
	}
}

// corrupt gives the ring up for everybody and for good, and says why.
func (e *end) corrupt(reason uint32, where uint64) error {
	e.segment.MarkCorrupt(reason, where)
	e.err = fmt.Errorf("%s: %w: %s, seen at position %d; remove it and create the ring again", e.segment.Path(), ErrCorrupt, layout.ReasonText(reason), where)
	return e.err
}

// enlist goes over to publishing without fences as soon as we answer to barriers, and
// reports whether it did.
func (e *end) enlist() bool {
	e.asym = e.barrier && order.Registered()
	return e.asym
}

// notify wakes the other side if it is parked.
func (e *end) notify() {
	if e.other.Notify() {
		e.seat.Line.Wakes.Add(1)
	}
}

// leave gives the seat up; the handle answers ErrClosed from now on.
func (e *end) leave() error {
	if e.seat == nil {
		return nil
	}
	e.err = shm.ErrClosed
	err := e.seat.Leave()
	if err == nil {
		e.seat = nil
	}
	return err
}

func (e *end) stats() Stats { return statsOf(e.segment) }
