package shm

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ringway/layout"
)

// Outcome is how it was settled what a dead owner had in flight.
type Outcome uint8

const (
	Nothing     Outcome = iota // nothing was in flight; so always on an SPSC ring
	Sent                       // its last message is in the ring, or with who took it since
	NotSent                    // it had announced a message and not sent it
	NotTaken                   // it had announced to take a message, which stayed where it was, for others
	Redelivered                // it had a message in hand, which the next consumer gets, flagged
	Undecided                  // a living process stands where only its next step tells; ask again later
)

// String returns one or two words, for people: ringway reap --help explains each.
func (o Outcome) String() string {
	if names := [...]string{"nothing", "sent", "not sent", "not taken", "redelivered", "undecided"}; int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// Reaped is one seat whose owner died, and what became of what that one had in flight.
type Reaped struct {
	Seat  int
	Role  layout.Role
	PID   int    // for people, like Name and Since
	Name  string // of the dead owner
	Since time.Time

	Flight   layout.SeatRec // MPMC: what it was in the middle of, and with which blocks
	Position uint64         // MPMC: of the message that Flight is about, unless it is layout.RecHeld
	Released uint64         // MPMC: elements of the message in hand that do not come again
	Outcome  Outcome
}

// Reap settles the seats of dead owners now and returns how many there were. It
// never waits, and leaves the living and the stopped alone.
func (s *Segment) Reap() (int, error) {
	n := 0
	found, err := s.ReapSeats()
	for _, r := range found {
		if r.Outcome != Undecided {
			n++
		}
	}
	return n, err
}

// ReapSeats is Reap that says what it found and how it was settled, seat by seat. With an
// error it returns what was settled before.
func (s *Segment) ReapSeats() (found []Reaped, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil, fmt.Errorf("reap %s: %w", s.path, ErrClosed)
	}
	if s.readOnly {
		return nil, fmt.Errorf("reap %s: opened read-only", s.path)
	}
	table := layout.SeatsAt(s.mem, s.Spec().Seats)
	for i := range table {
		// observes: an owner that has not left, or a message that nobody adopted, which is told of again.
		if table[i].State.Load() == layout.SeatFree || s.seats[i] != nil {
			continue
		}
		ok, err := s.lock(layout.LockByte(i))
		if err != nil {
			return found, fmt.Errorf("reap %s: %w", s.path, err)
		}
		if !ok {
			continue
		}
		if table[i].State.Load() == layout.SeatTaken { // observes, again, now that nobody else may change it
			var r Reaped
			if r, err = s.reap(i, &table[i]); err == nil {
				found = append(found, r)
			}
		}
		if err = errors.Join(err, s.unlockSeat(i)); err != nil {
			return found, fmt.Errorf("reap %s: %w", s.path, err)
		}
	}
	return found, nil
}

// reap settles a seat whose lock we hold and whose owner died.
func (s *Segment) reap(i int, line *layout.Seat) (Reaped, error) {
	r := Reaped{
		Seat: i, Role: layout.Role(line.Role.Load()), PID: int(line.PID.Load()), Name: line.OwnerName(), Since: time.Unix(0, line.Since.Load()),
	}
	if s.Spec().Kind == layout.SPSC {
		line.State.Store(layout.SeatFree) // publishes: settled; the lock passes the line on
		s.Control().Reaped.Add(1)
		return r, nil
	}
	r.Flight = layout.SeatRec(atomic.LoadUint64(&line.Rec)) // observes, like the next two: the dead owner's last
	r.Position = layout.PositionOf(atomic.LoadUint64(&line.Ver), loadPosition(&s.Control().Head))
	if r.Flight.Kind() == layout.RecUnacked {
		r.Released = atomic.LoadUint64(&line.Part)
	}
	ok, err := s.settle(i, line)
	if err != nil {
		return r, err
	}
	r.Outcome = Undecided
	if ok {
		s.Control().Reaped.Add(1)
		r.Outcome = outcome(r.Flight, layout.SeatRec(atomic.LoadUint64(&line.Rec))) // ours: the verdict
	}
	return r, nil
}

// outcome tells from the record of the dead and the verdict what happened.
func outcome(found, verdict layout.SeatRec) Outcome {
	if verdict.Kind() == layout.RecUnacked {
		return Redelivered
	}
	switch {
	case found.Kind() == layout.RecSending && verdict.Give() == found.Get():
		return Sent
	case found.Kind() == layout.RecSending:
		return NotSent
	case found.Kind() == layout.RecTaking:
		return NotTaken
	}
	return Nothing
}
