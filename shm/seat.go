package shm

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// Seat is the right to act as one side of a ring, held by this process until
// Leave or until it dies.
type Seat struct {
	Index int
	Line  *layout.Seat // our line of the seat table; only we store to it
	Epoch uint32       // of our tenure

	// MPMC: the block that the seat owns. Unacked: it holds a message that the last
	// owner, a consumer, took and did not release; only a consumer gets such a seat.
	Block   uint64
	Unacked bool

	segment *Segment
	pid     int // who took it: a fork has our memory but not the right
}

// Take takes a seat for role, the exclusive one on an SPSC ring, any free one
// otherwise; name is for people and cut to layout.MaxName bytes. A seat whose
// owner died is taken at once. The error matches ErrBusy, and names the holder, if
// there is no seat to be had.
func (s *Segment) Take(role layout.Role, name string) (*Seat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil, fmt.Errorf("take a seat in %s: %w", s.path, ErrClosed)
	}
	if s.readOnly {
		return nil, fmt.Errorf("take a seat in %s: it was opened read-only", s.path)
	}
	if name == "" {
		name = processName()
	}
	table := layout.SeatsAt(s.mem, s.Spec().Seats)
	first, last := 0, len(table)-1
	if s.Spec().Kind == layout.SPSC {
		first = layout.ProducerSeat
		if role == layout.RoleConsumer {
			first = layout.ConsumerSeat
		}
		last = first
	}
	for i := first; i <= last; i++ {
		ok, err := s.lockSeat(i, s.Spec().Kind == layout.SPSC)
		if err != nil {
			return nil, fmt.Errorf("take a seat in %s: %w", s.path, err)
		}
		if !ok {
			continue
		}
		rec, ok, err := s.usable(i, &table[i], role)
		if ok {
			return s.sit(i, &table[i], role, name, rec), nil
		}
		if err = errors.Join(err, s.unlockSeat(i)); err != nil {
			return nil, fmt.Errorf("take a seat in %s: %w", s.path, err)
		}
	}
	if first < last {
		return nil, fmt.Errorf("take a seat in %s: %w: all %d seats are taken; create the ring with more seats", s.path, ErrBusy, len(table))
	}
	return nil, fmt.Errorf("take the %v seat of %s: %w: %s", role, s.path, ErrBusy, holder(&table[first]))
}

// holder says who has a seat whose lock is taken, as far as it tells.
func holder(line *layout.Seat) string {
	if line.State.Load() != layout.SeatTaken { // observes: the owner's own stores; for people only
		return "somebody is just taking it"
	}
	return fmt.Sprintf("held by pid %d (%q) since %s", line.PID.Load(), line.OwnerName(),
		time.Unix(0, line.Since.Load()).Format(time.DateTime))
}

// lockSeat acquires the lock of a seat. A reaper holds the lock of a dead owner's
// seat for microseconds; where the seat is the only one that will do, wait that out.
func (s *Segment) lockSeat(i int, patient bool) (bool, error) {
	if s.seats[i] != nil {
		return false, nil
	}
	tries := 1
	if patient {
		tries = 10
	}
	for try := range tries {
		if try > 0 {
			time.Sleep(500 * time.Microsecond)
		}
		if ok, err := s.lock(layout.LockByte(i)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// usable brings a seat whose lock we hold into order, and reports what it owns and whether
// role may have it: a seat with an unreleased message is for consumers, one that cannot
// be judged yet for nobody.
func (s *Segment) usable(i int, line *layout.Seat, role layout.Role) (layout.SeatRec, bool, error) {
	if s.Spec().Kind == layout.SPSC {
		return 0, true, nil // nothing to recover: what was not published nobody has seen
	}
	if line.State.Load() == layout.SeatTaken { // observes: the last owner died without leaving
		if ok, err := s.settle(i, line); !ok || err != nil {
			return 0, false, err
		}
		s.Control().Reaped.Add(1)
	}
	rec := layout.SeatRec(atomic.LoadUint64(&line.Rec)) // observes: settle, or Leave; once, a damaged seat may change
	if k := rec.Kind(); k != layout.RecHeld && k != layout.RecUnacked || rec.Give() >= s.header.Geometry.Blocks {
		return 0, false, s.damaged(i, "was left with an exchange in flight")
	}
	return rec, rec.Kind() == layout.RecHeld || role == layout.RoleConsumer, nil
}

// sit fills in the line of a seat whose lock we hold and whose record is rec.
func (s *Segment) sit(i int, line *layout.Seat, role layout.Role, name string, rec layout.SeatRec) *Seat {
	if s.Spec().Kind == layout.SPSC && line.State.Load() == layout.SeatTaken { // observes: the last owner died without leaving
		s.Control().Reaped.Add(1)
	}
	epoch := line.Epoch.Add(1)
	line.Role.Store(uint32(role))
	line.PID.Store(uint32(os.Getpid()))
	line.Start.Store(startTime(os.Getpid()))
	line.Since.Store(time.Now().UnixNano())
	line.SetName(name)
	line.State.Store(layout.SeatTaken) // publishes the owner, to people and to Reap
	seat := &Seat{Index: i, Line: line, Epoch: epoch, segment: s, pid: os.Getpid()}
	if s.Spec().Kind == layout.MPMC {
		seat.Block, seat.Unacked = rec.Give(), rec.Kind() == layout.RecUnacked
	}
	s.hold(i, seat)
	failpoint.Hit(failpoint.SitTaken)
	return seat
}

// Leave gives the seat up. It is idempotent.
func (t *Seat) Leave() error {
	s := t.segment
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seats[t.Index] != t {
		return nil
	}
	if os.Getpid() != t.pid {
		return t.Check() // a fork has no seat to leave
	}
	delete(s.seats, t.Index)
	if err := t.Check(); err != nil {
		// Somebody else says that it is theirs: do not touch the line. The lock that we
		// drop is our own description's in any case.
		return errors.Join(err, s.unlock(layout.LockByte(t.Index)))
	}
	left := uint32(layout.SeatFree)
	if s.Spec().Kind == layout.MPMC && layout.SeatRec(atomic.LoadUint64(&t.Line.Rec)).Kind() == layout.RecUnacked {
		left = layout.SeatOrphan // closed with a message in hand: the next consumer gets it
	}
	t.Line.State.Store(left) // publishes: left in good order; the lock passes the line on
	return s.unlockSeat(t.Index)
}

// unlockSeat gives back the lock of a seat of ours, or of one that nobody has, and tells
// consumers of the message in it. Not before: who looks while it is locked finds nothing.
func (s *Segment) unlockSeat(i int) error {
	err := s.unlock(layout.LockByte(i))
	if layout.SeatsAt(s.mem, s.Spec().Seats)[i].State.Load() == layout.SeatOrphan { // observes: settle, Leave
		s.Control().Orphans.Add(1) // publishes: a consumer may have a message; pairs with the load in a take
		notEmpty, _ := s.Events()
		notEmpty.Notify()
	}
	return err
}

// Check reports an error if the seat is not ours any more: in a forked copy of
// the process that took it, or if somebody took it in our lifetime, which needs
// a lost lock. It is for slow paths.
func (t *Seat) Check() error {
	if os.Getpid() != t.pid {
		return fmt.Errorf("seat %d of %s: %w: it belongs to pid %d and this is a fork of it; open the ring again", t.Index, t.segment.path, ErrClosed, t.pid)
	}
	if e := t.Line.Epoch.Load(); e != t.Epoch { // observes: a later owner's Add in sit
		return fmt.Errorf("seat %d of %s: %w: its lock was lost and somebody else took it", t.Index, t.segment.path, ErrClosed)
	}
	return nil
}

// Reap settles the seats of dead owners now and returns how many there were. It
// never waits, and leaves the living and the stopped alone.
func (s *Segment) Reap() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return 0, fmt.Errorf("reap %s: %w", s.path, ErrClosed)
	}
	if s.readOnly {
		return 0, fmt.Errorf("reap %s: opened read-only", s.path)
	}
	n := 0
	table := layout.SeatsAt(s.mem, s.Spec().Seats)
	for i := range table {
		// observes: an owner that has not left, or a message that nobody adopted, which is told of again.
		if table[i].State.Load() == layout.SeatFree || s.seats[i] != nil {
			continue
		}
		ok, err := s.lock(layout.LockByte(i))
		if err != nil {
			return n, fmt.Errorf("reap %s: %w", s.path, err)
		}
		if !ok {
			continue
		}
		settled, err := s.reap(i, &table[i])
		if settled {
			n++
		}
		if err != nil {
			return n, errors.Join(fmt.Errorf("reap %s: %w", s.path, err), s.unlock(layout.LockByte(i)))
		}
		if err := s.unlockSeat(i); err != nil {
			return n, fmt.Errorf("reap %s: %w", s.path, err)
		}
	}
	return n, nil
}

// reap settles a seat whose lock we hold, if its owner died.
func (s *Segment) reap(i int, line *layout.Seat) (bool, error) {
	if line.State.Load() != layout.SeatTaken { // observes, again, now that nobody else may change it
		return false, nil
	}
	if s.Spec().Kind == layout.MPMC {
		if ok, err := s.settle(i, line); !ok || err != nil {
			return false, err
		}
	} else {
		line.State.Store(layout.SeatFree) // publishes: settled; the lock passes the line on
	}
	s.Control().Reaped.Add(1)
	return true, nil
}

// Alive reports whether the seat has an owner that can still act: its lock is held. A
// stopped process is alive. Works through a read-only segment.
func (s *Segment) Alive(seat int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return false, fmt.Errorf("look at %s: %w", s.path, ErrClosed)
	}
	if s.seats[seat] != nil {
		return true, nil
	}
	return s.locked(layout.LockByte(seat))
}
