package shm

import (
	"fmt"

	"ringway/layout"
)

// A seat's first lock is held by its owner, and for moments by whoever takes, leaves or
// settles the seat. Only an owner at work holds the second one too. Both belong to
// one open file description, which the kernel drops in one step when the owner dies.

// beginTenure begins our tenure of a seat whose first lock is ours.
func (s *Segment) beginTenure(seat int) error {
	ok, err := s.lock(layout.TenureByte(seat))
	if err == nil && !ok {
		err = fmt.Errorf("%w: somebody who has no right to seat %d holds its second lock; end that process", ErrBusy, seat)
	}
	return err
}

// endTenure ends it. The first lock goes later, or a seat without an owner would look as if it had one.
func (s *Segment) endTenure(seat int) error { return s.unlock(layout.TenureByte(seat)) }

// owned reports whether a seat has an owner at work at this moment, stopped or not.
func (s *Segment) owned(seat int) (bool, error) {
	if s.seats[seat] != nil {
		return true, nil
	}
	return s.locked(layout.TenureByte(seat))
}

// mayBring reports whether a seat that somebody has a hand on may yet turn out to hold a
// message for the next consumer. A living consumer's own is not one: it will release it,
// or leave it to whoever comes later.
func (s *Segment) mayBring(seat int, line *layout.Seat) (bool, error) {
	if owned, err := s.owned(seat); owned || err != nil {
		return false, err
	}
	return bringsMessage(line), nil
}
