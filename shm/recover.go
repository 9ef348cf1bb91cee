package shm

import (
	"errors"
	"fmt"
	"sync/atomic"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// What the owner of an MPMC seat left behind when it died, and how it is settled. See
// ring/mpmc.go for the exchange whose steps these are, and docs/PROTOCOL.md for the proof.

// verdict is what a dead owner's seat turns out to own.
type verdict struct {
	block   uint64 // the block
	message bool   // it holds a message that was taken and not released
	unknown bool   // a living peer stands between its exchange and its next store; ask again later
}

// judge finds out whether the exchange that a seat's record announces happened. We
// hold the seat's lock, so its owner is gone and the record stays as it is. Nothing is
// changed, so judging may be repeated, and its own death is harmless.
func (s *Segment) judge(seat int) (verdict, error) {
	g := &s.header.Geometry
	seats := layout.SeatsAt(s.mem, g.Spec.Seats)
	line := &seats[seat]
	rec := layout.SeatRec(atomic.LoadUint64(&line.Rec)) // observes: the dead owner's last record
	give, get := rec.Give(), rec.Get()
	if give >= g.Blocks || get >= g.Blocks {
		return verdict{}, s.damaged(seat, "names a block that does not exist")
	}
	switch rec.Kind() {
	case layout.RecHeld:
		return verdict{block: give}, nil
	case layout.RecUnacked:
		return verdict{block: give, message: true}, nil
	case layout.RecSending, layout.RecTaking:
	default:
		return verdict{}, s.damaged(seat, "has a record of an unknown kind")
	}
	before := atomic.LoadUint64(&line.Ver) // observes: stored before the record
	after := before + 1
	if rec.Kind() == layout.RecTaking {
		after = before - 1 + 2*uint64(g.Spec.Cap)
	}
	happened, known := s.exchanged(seats, seat, give, get, before, after)
	switch {
	case !known:
		return verdict{unknown: true}, nil
	case happened:
		return verdict{block: get, message: rec.Kind() == layout.RecTaking}, nil
	}
	return verdict{block: give}, nil
}

// exchanged reports whether give went into the slot whose version was before, and get
// came out of it. The first evidence that holds decides.
func (s *Segment) exchanged(seats []layout.Seat, seat int, give, get, before, after uint64) (happened, known bool) {
	g := &s.header.Geometry
	codec := g.SlotCodec()
	slot := before >> 1 & uint64(g.Spec.Cap-1)
	failpoint.Look(failpoint.LooksAtSlot)
	// acquire: pairs with the swaps in send and take.
	version, block := codec.Unpack(layout.SlotWord(atomic.LoadUint64(&layout.WordsAt(s.mem, g)[slot])), slot)
	switch {
	case codec.Distance(version, before) == 0:
		return false, true // the slot has not moved
	case codec.Distance(version, after) == 0:
		return block == give, true // it moved once: whose block did it get?
	case codec.Distance(s.blockVersion(give), after) != 0:
		return true, true // only an owner writes its version: somebody owned give after us, so we gave it
	case codec.Distance(s.blockVersion(get), before) != 0:
		return false, true // likewise: somebody owned get after it lay in the slot, and it was not us
	}
	for i := range seats {
		if i == seat {
			continue
		}
		failpoint.Look(failpoint.LooksAtSeat)
		other := layout.SeatRec(atomic.LoadUint64(&seats[i].Rec)) // observes: what its owner last recorded
		switch other.Kind() {
		case layout.RecHeld, layout.RecUnacked:
			if other.Give() == get {
				return false, true // somebody else has it
			}
			if other.Give() == give {
				return true, true // it is out of our hands
			}
		case layout.RecSending, layout.RecTaking:
			if other.Get() == give && s.diedExpecting(i, &seats[i], give, after) {
				return true, true // it saw give in the slot
			}
		}
	}
	return false, false
}

// diedExpecting reports whether a seat's owner died with an exchange announced that
// gets block get out of a slot at a version. The owner must be dead before its words are
// read, or they may belong to two calls of its; and nobody may have sat down since.
func (s *Segment) diedExpecting(i int, line *layout.Seat, get, version uint64) bool {
	epoch := line.Epoch.Load() // observes: sit
	if !s.dead(i) {
		return false
	}
	codec := s.header.Geometry.SlotCodec()
	rec, ver := layout.SeatRec(atomic.LoadUint64(&line.Rec)), atomic.LoadUint64(&line.Ver) // observes: the dead owner's last
	pending := rec.Kind() == layout.RecSending || rec.Kind() == layout.RecTaking
	return pending && rec.Get() == get && codec.Distance(ver, version) == 0 && line.Epoch.Load() == epoch
}

// blockVersion reads the version at which a block was last given away. Two words tell, one
// for each side; a block's versions only grow, so the later is the last. Each is evidence by
// itself, so it does no harm if they change between the two loads.
func (s *Segment) blockVersion(block uint64) uint64 {
	sent, freed := layout.VersionsAt(s.mem, &s.header.Geometry)
	failpoint.Look(failpoint.LooksAtHeader)
	a := loadPosition(&sent[block]) // observes: the sender's store before its record
	failpoint.Look(failpoint.LooksAtHeader)
	b := loadPosition(&freed[block]) // observes: the taker's
	if s.header.Geometry.SlotCodec().Distance(a, b) > 0 {
		return a
	}
	return b
}

// dead reports whether a seat's owner is gone for certain.
func (s *Segment) dead(seat int) bool {
	failpoint.Look(failpoint.LooksAtLock)
	if s.seats[seat] != nil {
		return false
	}
	held, err := s.locked(layout.LockByte(seat))
	return err == nil && !held
}

// settle brings a dead owner's MPMC seat into order: free, or an orphan that keeps an
// unreleased message for the next consumer. We hold its lock. It reports false, and
// leaves the seat as it is, when that cannot be decided yet. Repeating it does no harm.
func (s *Segment) settle(seat int, line *layout.Seat) (bool, error) {
	failpoint.Hit(failpoint.SettleBegin)
	v, err := s.judge(seat)
	if err != nil || v.unknown {
		return false, err
	}
	failpoint.Hit(failpoint.SettleOwned)
	kind := layout.RecHeld
	if v.message {
		kind = layout.RecUnacked
	}
	if layout.SeatRec(atomic.LoadUint64(&line.Rec)).Kind() == layout.RecTaking {
		atomic.StoreUint64(&line.Part, 0) // of this message nothing was released
	}
	atomic.StoreUint64(&line.Rec, uint64(layout.MakeSeatRec(kind, v.block, 0))) // publishes the verdict to later recoverers
	failpoint.Hit(failpoint.SettleRecord)
	if v.message {
		line.State.Store(layout.SeatOrphan) // publishes: a consumer may have this message; unlockSeat tells
	} else {
		line.State.Store(layout.SeatFree)
	}
	failpoint.Hit(failpoint.SettleDone)
	return true, nil
}

func (s *Segment) damaged(seat int, what string) error {
	s.MarkCorrupt(layout.ReasonSeat, uint64(seat))
	return fmt.Errorf("%w: seat %d %s; remove it and create the ring again", layout.ErrCorrupt, seat, what)
}

// Orphan is a message that a consumer took and did not release before it died. Who
// adopts it holds the dead owner's seat until Release.
type Orphan struct {
	Block   uint64
	Line    *layout.Seat // whose Part says how many elements were released already
	seat    int
	segment *Segment
}

// Adopt finds an orphan nobody has yet, settling the seats of the dead on the way; nil if there is none.
func (s *Segment) Adopt() (*Orphan, error) {
	o, _, err := s.AdoptLast()
	return o, err
}

// AdoptLast is Adopt for a consumer that has seen the end of the ring. With no orphan it
// also says whether that is final: false while a seat without an owner may yet turn out to
// hold a message, because somebody has its lock, or because a living peer's next store decides.
func (s *Segment) AdoptLast() (o *Orphan, final bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	final = true
	table := layout.SeatsAt(s.mem, s.Spec().Seats)
	for i := range table {
		line := &table[i]
		if line.State.Load() == layout.SeatFree || s.seats[i] != nil { // observes: settle, sit, Leave
			continue
		}
		ok, err := s.lock(layout.LockByte(i))
		if err != nil {
			return nil, false, err
		}
		if !ok {
			may, err := s.mayBring(i, line)
			if err != nil {
				return nil, false, err
			}
			final = final && !may
			continue
		}
		o, err := s.adopt(i, line)
		if err != nil {
			return nil, false, errors.Join(err, s.unlockSeat(i))
		}
		if o != nil {
			return o, false, nil
		}
		final = final && !bringsMessage(line)
		if err := s.unlock(layout.LockByte(i)); err != nil {
			return nil, false, err
		}
	}
	return nil, final, nil
}

// bringsMessage reports whether a seat without an owner holds a message, or may turn out to.
func bringsMessage(line *layout.Seat) bool {
	if line.State.Load() == layout.SeatFree { // observes: settle, Release; stored behind the record
		return false
	}
	// observes: the dead owner's last record, or the verdict in settle
	k := layout.SeatRec(atomic.LoadUint64(&line.Rec)).Kind()
	return k != layout.RecHeld && k != layout.RecSending
}

// adopt takes over a seat whose lock we hold, if there is a message in it.
func (s *Segment) adopt(i int, line *layout.Seat) (*Orphan, error) {
	if line.State.Load() == layout.SeatTaken {
		if ok, err := s.settle(i, line); !ok || err != nil {
			return nil, err
		}
		s.Control().Reaped.Add(1)
	}
	rec := layout.SeatRec(atomic.LoadUint64(&line.Rec)) // observes: settle
	if line.State.Load() != layout.SeatOrphan || rec.Kind() == layout.RecHeld {
		return nil, nil
	}
	if rec.Kind() != layout.RecUnacked || rec.Give() >= s.header.Geometry.Blocks {
		return nil, s.damaged(i, "was left with an exchange in flight")
	}
	if err := s.beginTenure(i); err != nil {
		return nil, err
	}
	s.hold(i, &Seat{}) // nobody in this process may lock it again
	failpoint.Hit(failpoint.AdoptTaken)
	return &Orphan{Block: rec.Give(), Line: line, seat: i, segment: s}, nil
}

// Release ends the orphan: its message was delivered.
func (o *Orphan) Release() error {
	atomic.StoreUint64(&o.Line.Rec, uint64(layout.MakeSeatRec(layout.RecHeld, o.Block, 0))) // publishes: delivered
	failpoint.Hit(failpoint.AdoptDone)
	o.Line.State.Store(layout.SeatFree)
	return o.Drop()
}

// Drop leaves the orphan to the next consumer.
func (o *Orphan) Drop() error {
	s := o.segment
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seats, o.seat)
	return errors.Join(s.endTenure(o.seat), s.unlockSeat(o.seat))
}

// hold notes that a seat's lock is ours.
func (s *Segment) hold(i int, seat *Seat) {
	if s.seats == nil {
		s.seats = map[int]*Seat{}
	}
	s.seats[i] = seat
}
