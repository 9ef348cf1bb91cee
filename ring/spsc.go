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
	from     uint64 // tail when the last burst of single elements began
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
	if s.Spec().Kind == layout.MPMC {
		p.openBlocks(s)
		return nil
	}
	p.tailWord = &p.control.Tail
	p.tail = atomic.LoadUint64(p.tailWord) // observes: the last owner's final release
	p.limit = p.tail
	p.claimed, p.from = p.tail, p.tail
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

// one is room for the calls that fill single elements, and gives way if there is none.
func (p *spscProducer) one() error {
	err := p.room(1)
	if err == ErrFull {
		p.giveWayAfter(p.tail - p.from)
		p.from = p.tail
	}
	return err
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
		// release: passes the units to the consumer; pairs with the acquire in spscConsumer.found and reload.
		order.StoreRelease(p.tailWord, tail)
	} else {
		// the same, and a full fence before the look at the parked bit below. Swap, because
		// under the race detector Store is none on memory that it does not follow.
		atomic.SwapUint64(p.tailWord, tail)
		if p.enlist() {
			p.arm()
		}
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
