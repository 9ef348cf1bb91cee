package ring

// The single-producer single-consumer ring: Lamport's queue (Proving the
// Correctness of Multiprocess Programs, 1977) with free-running 64-bit positions, each
// side keeping a private copy of the other's position (Giacomoni et al.,
// FastForward, 2008; Rigtorp, SPSCQueue). This file knows positions only. What a
// unit is, a slot of T or eight bytes of a record, the ends know.
//
// Ownership. Positions head to tail-1 belong to the consumer, the others, tail to
// head+size-1, to the producer. Storing tail passes the units below it on;
// storing head passes them back. Each side moves its own position only, and acts on its
// private copy of it: what the shared word says is for the other side.
//
// Both halves have a busy path that is inlined in the ends:
//
//	if pos == fast { slow path }; touch the unit; pos++; release store; if parked { slow path }
//
// fast is the position up to which that is allowed. Whatever is unusual (nothing
// left, a reservation, a closed handle, a ring that needs a full fence) just sets it to
// pos: one comparison decides all.

import (
	"sync/atomic"

	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// spscProducer is the producer's half.
type spscProducer struct {
	tail     uint64  // next position to fill; ours alone
	fast     uint64  // the busy path may fill positions below it
	tailWord *uint64 // where the consumer reads tail
	limit    uint64  // head as last read, plus size: positions below it are ours
	size     uint64
	need     uint64 // units the last refused call wanted
	claimed  uint64 // as layout.Control.Claim
	reserved bool   // a reservation is outstanding
	end
}

// open takes the producer's seat and goes on where the last owner stopped. What
// that one had not published is overwritten; nobody has seen it.
func (p *spscProducer) open(s *shm.Segment, payload layout.Payload, o *Options) error {
	if err := p.sit(s, layout.RoleProducer, payload, o, p); err != nil {
		return err
	}
	p.size, p.need = uint64(s.Spec().Cap), 1
	p.tailWord = &p.control.Tail
	p.tail = atomic.LoadUint64(p.tailWord) // observes: the last owner's final release
	p.limit = p.tail
	p.claimed = p.tail
	if c := loadPosition(&p.control.Claim); c-p.tail <= p.size {
		p.claimed = c // what the last owner announced and may have begun to overwrite
	}
	p.arm()
	if head := atomic.LoadUint64(&p.control.Head); p.tail-head > p.size { // observes: the consumer's release
		return p.abandon(p.corrupt(layout.ReasonPositions, head))
	}
	return nil
}

// fail makes an error stick.
func (p *spscProducer) fail(err error) error {
	p.err = err
	p.arm()
	return err
}

// arm says how far the busy path may go. Every change of tail outside the busy path,
// of limit, reserved or err comes through here.
func (p *spscProducer) arm() {
	p.fast = p.tail
	if p.asym && !p.reserved && p.err == nil {
		p.fast = p.limit
	}
}

// room makes sure that n units from tail on are ours.
func (p *spscProducer) room(n uint64) error {
	if p.err != nil {
		return p.err
	}
	if p.reserved {
		panic("ringway: push or Reserve while a reservation is outstanding")
	}
	if p.limit-p.tail >= n {
		return nil
	}
	if err := p.state(); err != nil {
		return p.fail(err)
	}
	// acquire: the consumer is done with everything below head; pairs with
	// the release of head in spscConsumer.publish and the ends' busy paths.
	head := atomic.LoadUint64(&p.control.Head)
	if p.mapped {
		race.Acquire()
	}
	if p.tail-head > p.size {
		return p.fail(p.corrupt(layout.ReasonPositions, head))
	}
	p.limit = head + p.size
	p.arm()
	if p.limit-p.tail < n {
		p.need = n
		return ErrFull
	}
	return nil
}

// announce tells observers that bytes below position end may change from now on.
// It never takes back what was announced before, and perhaps begun.
func (p *spscProducer) announce(end uint64) {
	if int64(end-p.claimed) > 0 {
		p.claimed = end
		p.control.Claim = end // a plain store: observers load it before and after they copy
	}
}

// publish passes everything below tail to the consumer.
func (p *spscProducer) publish(tail uint64) error {
	p.tail = tail
	p.arm()
	if p.mapped {
		race.Release()
	}
	if p.asym {
		// release: passes the units to the consumer; pairs with the acquire in spscConsumer.refresh.
		order.StoreRelease(p.tailWord, tail)
	} else {
		// the same, and a full fence before the look at the parked bit below. Swap, because
		// under the race detector Store is none on memory that it does not follow.
		atomic.SwapUint64(p.tailWord, tail)
	}
	if p.other.Parked() { // observes: Prepare by a consumer, or Alert; its barrier or our fence came between
		return p.published()
	}
	return nil
}

// published is the rest of a publish that somebody waited for.
func (p *spscProducer) published() error {
	p.notify()
	err := p.state()
	if err == nil {
		return nil
	}
	if p.fail(err) != shm.ErrClosed {
		return err
	}
	// The ring was shut down. Did this push make it? The seal decides, exactly.
	final, sealErr := p.segment.Sealed()
	if sealErr != nil {
		return sealErr
	}
	if int64(final-p.tail) < 0 {
		return err
	}
	return nil
}

// look reports whether a refused push should try again.
func (p *spscProducer) look() bool {
	// observes: Shutdown, MarkCorrupt.
	if p.control.State.Load() != layout.StateOpen {
		return true
	}
	// acquire, as in room, which reads it again. More than size: damage, also for room to find.
	free := atomic.LoadUint64(&p.control.Head) + p.size - p.tail
	return free >= p.need
}

// sound looks at our own word once per bounded park: nobody else writes it, and if
// somebody did the other side may sleep for ever.
func (p *spscProducer) sound() error {
	if tail := atomic.LoadUint64(p.tailWord); tail != p.tail {
		return p.fail(p.corrupt(layout.ReasonPositions, tail))
	}
	return nil
}

func (p *spscProducer) close() error {
	p.reserved = false
	err := p.leave()
	p.arm()
	return err
}

// abandon gives the seat back after open has failed later on.
func (p *spscProducer) abandon(err error) error {
	if e := p.close(); e != nil {
		return e
	}
	return err
}

// spscConsumer is the consumer's half.
type spscConsumer struct {
	head     uint64  // next position to take; ours alone
	fast     uint64  // the busy path may take positions below it
	headWord *uint64 // where the producer reads head
	tail     uint64  // as last read: positions below it are ours to take
	size     uint64
	held     uint64 // units at head that Peek handed out
	lent     uint64 // units at head that All yielded and has not released
	end
}

// open takes the consumer's seat and goes on where the last owner stopped:
// with the first unit that one had not released.
func (c *spscConsumer) open(s *shm.Segment, payload layout.Payload, o *Options) error {
	if err := c.sit(s, layout.RoleConsumer, payload, o, c); err != nil {
		return err
	}
	c.size = uint64(s.Spec().Cap)
	c.headWord = &c.control.Head
	c.head = atomic.LoadUint64(c.headWord) // observes: the last owner's final release
	c.tail = c.head
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
// of tail, held or err comes through here.
func (c *spscConsumer) arm() {
	c.fast = c.head
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
	}
}

// released is the rest of a release that somebody waited for. The units were ours,
// so a ring that is corrupt by now says so at the next call.
func (c *spscConsumer) released() {
	c.notify()
	if err := c.state(); err != nil && err != shm.ErrClosed {
		c.fail(err)
	}
}

// look reports whether a refused pop should try again.
func (c *spscConsumer) look() bool {
	// acquire, as in refresh, which reads it again; then: observes Shutdown, MarkCorrupt.
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
	}
	c.held = 0
	err := c.leave()
	c.arm()
	return err
}

func (c *spscConsumer) abandon(err error) error {
	if e := c.close(); e != nil {
		return e
	}
	return err
}
