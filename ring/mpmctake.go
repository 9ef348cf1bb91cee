package ring

// The consumer's half of what the handles do on an MPMC ring; see mpmcends.go.

import (
	"fmt"
	"sync/atomic"
	"time"

	"ringway/internal/failpoint"
	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// taker is what blocked takes on an MPMC ring wait for.
type taker struct{ *spscConsumer }

// sound looks once per bounded park for messages of consumers that died, of which
// nobody may have told.
func (w taker) sound() error {
	if w.x.hand {
		return nil
	}
	w.x.ending = false // the next try finds out anew
	_, err := w.adopt()
	return err
}

// look reports whether a refused take should be tried again.
func (w taker) look() bool {
	if w.x.hand || w.control.Orphans.Load() != w.x.orphans { // observes: unlockSeat
		return true
	}
	if w.x.ending {
		return w.control.State.Load() != layout.StateShutdown // observes: MarkCorrupt
	}
	_, version, _ := w.x.load(w.x.pos)
	return w.x.codec.Distance(version, 2*w.x.pos) != 0 ||
		w.control.State.Load() != layout.StateOpen // observes: Shutdown, MarkCorrupt
}

// openBlocks finishes the opening of a consumer's handle. A seat whose last owner died
// with a message in hand comes with that message.
func (c *spscConsumer) openBlocks(s *shm.Segment) error {
	c.x = newBlocks(&c.end, s, layout.RoleConsumer)
	c.x.start(c.x.taken)
	c.ready = taker{c}
	c.x.orphans = ^c.control.Orphans.Load() // look for orphans at the first take
	c.x.empty = idleTries
	if c.seat.Unacked {
		return c.have(c.x.own, atomic.LoadUint64(&c.x.seat.Part), true)
	}
	return nil
}

// have takes a message in hand: a block of which the first part elements were released.
func (c *spscConsumer) have(block, part uint64, again bool) error {
	n := c.x.length(block) // once: a peer's word
	message := c.segment.Spec().Payload == layout.Message
	if n > c.x.max || !message && (n == 0 || part >= n) {
		return c.fail(c.corrupt(layout.ReasonBlock, block))
	}
	c.x.block, c.x.index, c.x.left, c.x.again, c.x.hand = block, part, n, again, true
	c.x.turn++
	if !message {
		c.x.left = n - part
	}
	if again {
		if race.Enabled && c.mapped {
			race.Acquire() // from its sender, and from who had it, whose locks the detector does not see
		}
		c.seat.Line.Redelivered.Add(1)
	}
	return nil
}

// receive makes sure that a message is in hand.
func (c *spscConsumer) receive() error {
	if c.err != nil {
		return c.err
	}
	if err := c.settleBlock(); err != nil {
		return err
	}
	if c.x.hand {
		return nil
	}
	if n := c.control.Orphans.Load(); n != c.x.orphans { // observes: settle, Leave
		if found, err := c.adopt(); found || err != nil {
			return err // and look again next time: there may be more
		}
		c.x.orphans = n
	}
	if err := c.takeBlock(); err != nil {
		return c.nothing(err) // which may find an orphan instead
	}
	return c.have(c.x.own, 0, false)
}

// takeBlock makes the block of the oldest message ours; errors as from take. The wake comes before the
// message is read: who sleeps on a full ring waits for the slot, not for the block.
func (c *spscConsumer) takeBlock() error {
	if err := c.x.take(); err != nil {
		return c.took(err)
	}
	return nil
}

// took goes on where a try to take did not go through as usual.
func (c *spscConsumer) took(err error) error {
	for err == errAgain {
		err = c.x.take()
	}
	c.x.hops = 0
	if err == errParked {
		c.released()
		return nil
	}
	return err
}

// nothing says what a refused take means. The end of a ring that was shut down has
// come only when no message of a dead consumer is left either.
func (c *spscConsumer) nothing(err error) error {
	c.x.ending = false
	switch err {
	case errScribbled:
		return c.fail(c.corrupt(layout.ReasonSlot, c.x.pos))
	case ErrEmpty:
		err := c.state()
		if err == nil {
			c.x.giveWay(&c.end)
			return c.idle()
		}
		if err != shm.ErrClosed {
			return c.fail(err)
		}
		if err := c.segment.SealSlots(); err != nil { // its caller may have died halfway
			return c.fail(err)
		}
		// The next try sees the seal, or a message that came before it.
		word, version, _ := c.x.load(c.x.pos)
		if c.x.codec.Distance(version, 2*c.x.pos) == 0 && !c.x.sealed(word) {
			return c.fail(c.corrupt(layout.ReasonSlot, c.x.pos))
		}
		return ErrEmpty
	}
	found, final, err := c.adoptLast()
	if found || err != nil {
		return err
	}
	if !final {
		c.x.ending = true // who waits looks again when somebody tells, or after a bounded park
		return ErrEmpty
	}
	return c.fail(shm.ErrClosed)
}

// idleTries is the least number of tries that find nothing between two looks for dead peers.
const idleTries = 1 << 16

// idle is the answer of an empty ring. Who polls it and never waits must look for dead
// peers too. Each look says how long it took, and as many nanoseconds as that, as many
// tries go without one: so looking costs a try less than a nanosecond on average.
func (c *spscConsumer) idle() error {
	if c.x.empty > 0 {
		c.x.empty--
		return ErrEmpty
	}
	began := monotonic()
	found, err := c.adopt()
	c.x.empty = triesAfter(monotonic() - began)
	if found || err != nil {
		return err
	}
	return ErrEmpty
}

// triesAfter is how many tries go without a look after one that took so long.
func triesAfter(took time.Duration) int { return max(idleTries, int(took.Nanoseconds())) }

// settleBlock releases what All yielded; every call in its loop body begins with it.
func (c *spscConsumer) settleBlock() error {
	if !c.x.lent {
		return nil
	}
	c.x.lent = false
	return c.drop(1)
}

// adopt takes the message of a dead consumer in hand, if there is one.
func (c *spscConsumer) adopt() (bool, error) {
	found, _, err := c.adoptLast()
	return found, err
}

// adoptLast is adopt that also says, if there is none, whether none will come any more.
func (c *spscConsumer) adoptLast() (found, final bool, err error) {
	o, final, err := c.segment.AdoptLast()
	if o == nil || err != nil {
		return false, final, err
	}
	c.x.orphan, c.x.ending = o, false
	return true, false, c.have(o.Block, atomic.LoadUint64(&o.Line.Part), true)
}

// drop releases n elements of the message in hand, and with the last one its block; all of a message at once.
func (c *spscConsumer) drop(n uint64) error {
	x := c.x
	c.held = 0
	x.index += n
	x.left -= n
	if c.segment.Spec().Payload == layout.Fixed && x.left != 0 {
		line := x.seat
		if x.orphan != nil {
			line = x.orphan.Line
		}
		order.StoreRelease(&line.Part, x.index) // publishes to recovery: these are not delivered again
		failpoint.Hit(failpoint.TakePart)
		return nil
	}
	x.hand = false
	if o := x.orphan; o != nil {
		x.orphan = nil
		if err := o.Release(); err != nil {
			return c.fail(fmt.Errorf("%s: %w", c.segment.Path(), err))
		}
		return nil
	}
	x.hold()
	failpoint.Hit(failpoint.TakeReleased)
	return nil
}

// closeBlocks leaves an adopted message to others.
func (c *spscConsumer) closeBlocks() error {
	if race.Enabled && c.mapped {
		race.Release() // to who gets what we have in hand
	}
	if c.x == nil || c.x.orphan == nil {
		return nil
	}
	o := c.x.orphan
	c.x.orphan = nil
	return o.Drop()
}
