package ring

// The consumer's half of the ring in spsc.go, whose opening comment is the argument for both.

import (
	"errors"
	"math"
	"sync/atomic"

	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// spscConsumer is the consumer's half.
type spscConsumer struct {
	head     uint64  // next position to take; ours alone
	fast     uint64  // the busy path may take positions below it
	headWord *uint64 // where the producer reads head
	tailWord *uint64 // where the producer publishes tail
	armed    bool    // the busy path may look at it by itself
	tail     uint64  // as last read: positions below it are ours to take
	size     uint64
	held     uint64 // units at head that Peek handed out
	from     uint64 // head when the last burst of single elements began
	lent     uint64 // units at head that All yielded and has not released
	slip     slip   // of batches
	batched  uint64 // units of batches since TryPopN was last refused
	end
}

// open takes the consumer's seat and goes on where the last owner stopped:
// with the first unit that one had not released.
func (c *spscConsumer) open(s *shm.Segment, payload layout.Payload, o *Options) error {
	if err := c.sit(s, layout.RoleConsumer, payload, o, c); err != nil {
		return err
	}
	c.size = uint64(s.Spec().Cap)
	if s.Spec().Kind == layout.MPMC {
		if err := c.openBlocks(s); err != nil {
			return c.abandon(err)
		}
		return nil
	}
	c.headWord, c.tailWord = &c.control.Head, &c.control.Tail
	c.head = atomic.LoadUint64(c.headWord) // observes: the last owner's final release
	c.tail, c.from = c.head, c.head
	c.arm()
	if tail := atomic.LoadUint64(&c.control.Tail); tail-c.head > c.size { // observes: the producer's release
		return c.abandon(c.corrupt(layout.ReasonPositions, tail))
	}
	return nil
}

func (c *spscConsumer) fail(err error) error {
	c.err = err
	c.arm()
	return err
}

// arm says how far the busy path may go. Every change of head outside the busy path,
// of tail, held, lent or err comes through here.
func (c *spscConsumer) arm() {
	c.fast = c.head
	c.armed = c.asym && c.err == nil && c.x == nil
	if c.asym && c.held == 0 && c.lent == 0 && c.err == nil {
		c.fast = c.tail
	}
}

// refresh makes sure that at least one unit from head on is ours.
func (c *spscConsumer) refresh() error {
	if c.err != nil {
		return c.err
	}
	c.settle()
	if c.tail != c.head {
		return nil
	}
	return c.reload()
}

// found is the busy path's own look at tail: how many units it finds at head, or more than
// size if all that refresh looks at has to be looked at.
func (c *spscConsumer) found() uint64 {
	if !c.armed || c.held|c.lent != 0 {
		return math.MaxUint64
	}
	// acquire: everything below tail is written; pairs with the release of tail in
	// spscProducer.publish and the ends' busy paths. Then observes Shutdown, MarkCorrupt, as in reload.
	n := atomic.LoadUint64(c.tailWord) - c.head
	if c.control.State.Load() != layout.StateOpen {
		return math.MaxUint64
	}
	if race.Enabled && c.mapped {
		race.Acquire()
	}
	return n
}

// one is refresh for the calls that take single elements, and gives way if there is none.
func (c *spscConsumer) one() error {
	err := c.refresh()
	if err == ErrEmpty {
		c.giveWayAfter(c.head - c.from)
		c.from = c.head
	}
	return err
}

// reload reads tail anew.
func (c *spscConsumer) reload() error {
	// acquire: everything below tail is written; pairs with the release of tail
	// in spscProducer.publish and the ends' busy paths.
	tail := atomic.LoadUint64(&c.control.Tail)
	if c.mapped {
		race.Acquire()
	}
	// After tail: a tail that was read while the ring was open lies before any seal.
	if err := c.state(); err == shm.ErrClosed {
		final, sealErr := c.segment.Sealed()
		if sealErr != nil {
			return sealErr
		}
		if int64(final-c.head) <= 0 {
			return c.fail(err)
		}
		tail = final
		if c.mapped {
			race.Acquire() // Sealed has read a tail that may be newer
		}
	} else if err != nil {
		return c.fail(err)
	}
	if tail-c.head > c.size {
		return c.fail(c.corrupt(layout.ReasonPositions, tail))
	}
	c.tail = tail
	c.arm()
	if tail == c.head {
		return ErrEmpty
	}
	return nil
}

// publish passes everything below head back to the producer, what Peek handed out included.
func (c *spscConsumer) publish(head uint64) {
	c.head = head
	c.held = 0
	c.arm()
	if c.mapped {
		race.Release()
	}
	if c.asym {
		// release: we are done with the units below head; pairs with the acquire in spscProducer.room.
		order.StoreRelease(c.headWord, head)
	} else {
		// the same, and a full fence before the look at the parked bit below, as in spscProducer.publish.
		atomic.SwapUint64(c.headWord, head)
		if c.enlist() {
			c.arm()
		}
	}
	if c.other.Parked() { // observes: Prepare by a producer, or Alert; its barrier or our fence came between
		c.released()
	}
}

// settle releases what All yielded; every call in its loop body but the busy paths,
// which are off then, begins with it.
//
//go:noinline
func (c *spscConsumer) settle() {
	if n := c.lent; n != 0 {
		c.lent = 0
		c.publish(c.head + n)
		c.from = c.head // what All yields is no burst
	}
}

// released is the rest of a release that somebody waited for. The units were ours,
// so a ring that is corrupt by now says so at the next call.
func (c *spscConsumer) released() {
	c.notify()
	if err := c.state(); err != nil && err != shm.ErrClosed {
		_ = c.fail(err) // it sticks
	}
}

// look reports whether a refused pop should try again.
func (c *spscConsumer) look() bool {
	// acquire, as in found and reload, which read it again; then: observes Shutdown, MarkCorrupt.
	return atomic.LoadUint64(&c.control.Tail) != c.head || c.control.State.Load() != layout.StateOpen
}

func (c *spscConsumer) sound() error {
	if head := atomic.LoadUint64(c.headWord); head != c.head {
		return c.fail(c.corrupt(layout.ReasonPositions, head))
	}
	return nil
}

func (c *spscConsumer) close() error {
	if c.err == nil {
		c.settle()
		if c.x != nil {
			_ = c.settleBlock() // an error sticks
		}
	}
	c.held = 0
	err := errors.Join(c.closeBlocks(), c.leave())
	c.arm()
	return err
}

func (c *spscConsumer) abandon(err error) error {
	if e := c.close(); e != nil {
		return e
	}
	return err
}
