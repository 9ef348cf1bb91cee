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

// changing bounds how long Take waits for somebody who is just taking, leaving or
// settling a seat. That takes microseconds; who needs longer is stopped, and a stopped
// process does not hold up others.
const changing = 500 * time.Millisecond

// Take takes a seat for role, the exclusive one on an SPSC ring, any free one
// otherwise; name is for people and cut to layout.MaxName bytes. A seat whose
// owner died is taken at once. The error matches ErrBusy, and names the holder, if
// every seat that would do has a living owner, or is in the hands of somebody who was
// stopped in the middle of taking, leaving or settling it.
func (s *Segment) Take(role layout.Role, name string) (*Seat, error) {
	if name == "" {
		name = processName()
	}
	for begin, nap := time.Now(), 20*time.Microsecond; ; nap = min(2*nap, time.Millisecond) {
		seat, unsure, err := s.takeOne(role, name)
		if seat != nil || !errors.Is(err, ErrBusy) || unsure < 0 {
			return seat, err
		}
		if time.Since(begin) > changing {
			return nil, fmt.Errorf("%w; somebody is stopped, or kept, in the middle of taking, leaving or settling seat %d: try again, or end that one", err, unsure)
		}
		time.Sleep(nap)
	}
}

// takeOne tries every seat that will do once. If that gives ErrBusy, unsure is a seat that
// nobody owns and that somebody had a hand on, -1 if there is none.
func (s *Segment) takeOne(role layout.Role, name string) (seat *Seat, unsure int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unsure = -1
	if s.shut {
		return nil, unsure, fmt.Errorf("take a seat in %s: %w", s.path, ErrClosed)
	}
	if s.readOnly {
		return nil, unsure, fmt.Errorf("take a seat in %s: it was opened read-only", s.path)
	}
	if k := s.Spec().Kind; !k.Ring() {
		return nil, unsure, fmt.Errorf("take a seat in %s: %w: it is %s, which has none", s.path, ErrKind, k.Noun())
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
		seat, free, err := s.tryTake(i, &table[i], role, name)
		if seat != nil || err != nil {
			return seat, unsure, err
		}
		if free {
			unsure = i
		}
	}
	if first < last {
		return nil, unsure, fmt.Errorf("take a seat in %s: %w: all %d seats are taken; create the ring with more seats", s.path, ErrBusy, len(table))
	}
	return nil, unsure, fmt.Errorf("take the %v seat of %s: %w: %s", role, s.path, ErrBusy, holder(&table[first]))
}

// tryTake takes one seat if it is to be had. If not, unsure says that this may change
// without anybody leaving: somebody has a hand on it, or what its dead owner did cannot be
// told yet.
func (s *Segment) tryTake(i int, line *layout.Seat, role layout.Role, name string) (seat *Seat, unsure bool, err error) {
	if s.seats[i] != nil {
		return nil, false, nil
	}
	ok, err := s.lock(layout.LockByte(i))
	if err != nil {
		return nil, false, fmt.Errorf("take a seat in %s: %w", s.path, err)
	}
	if !ok {
		owned, err := s.owned(i)
		if err != nil {
			return nil, false, fmt.Errorf("take a seat in %s: %w", s.path, err)
		}
		return nil, !owned, nil
	}
	rec, ok, err := s.usable(i, line, role)
	if err == nil && ok {
		if err = s.beginTenure(i); err == nil {
			return s.sit(i, line, role, name, rec), false, nil
		}
	}
	unsure = line.State.Load() == layout.SeatTaken // observes: our own settle, which left it as it was
	if err = errors.Join(err, s.unlockSeat(i)); err != nil {
		return nil, false, fmt.Errorf("take a seat in %s: %w", s.path, err)
	}
	return nil, unsure, nil
}

// holder says who has a seat whose lock is taken, as far as it tells.
func holder(line *layout.Seat) string {
	if line.State.Load() != layout.SeatTaken { // observes: the owner's own stores; for people only
		return "somebody is just taking it"
	}
	return fmt.Sprintf("held by pid %d (%q) since %s", line.PID.Load(), line.OwnerName(),
		time.Unix(0, line.Since.Load()).Format(time.DateTime))
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
	if role == layout.RoleProducer {
		atomic.StoreUint64(&line.Ver, 0) // for observers: what lies in the seat's block is not what was taken at that version any more
	}
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
		return errors.Join(err, s.endTenure(t.Index), s.unlock(layout.LockByte(t.Index)))
	}
	left := uint32(layout.SeatFree)
	if s.Spec().Kind == layout.MPMC && layout.SeatRec(atomic.LoadUint64(&t.Line.Rec)).Kind() == layout.RecUnacked {
		left = layout.SeatOrphan // closed with a message in hand: the next consumer gets it
	}
	t.Line.State.Store(left) // publishes: left in good order; the lock passes the line on
	return errors.Join(s.endTenure(t.Index), s.unlockSeat(t.Index))
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
