package ring

// What the four handles do on an MPMC ring. Everything here is off the busy path of SPSC
// rings: on an MPMC handle fast equals the position for good.

import (
	"errors"

	"ringway/internal/failpoint"
	"ringway/layout"
	"ringway/shm"
)

// What an exchange says to the handle.
var (
	errScribbled = errors.New("scribbled") // a slot word shows what no exchange leaves behind
	errParked    = errors.New("parked")    // done, and somebody sleeps
	errAgain     = errors.New("again")     // somebody else was first
)

// blocks is what an MPMC handle has in place of positions.
type blocks struct {
	exchange
	hand    bool              // a message is in hand
	max     uint64            // elements of a block, or bytes of a message
	block   uint64            // the block of the message in hand
	left    uint64            // its elements that are left, or its length
	index   uint64            // the next of them
	again   bool              // it was in the hands of a consumer that died
	told    bool              // the same of the message that the last call returned
	lent    bool              // All yielded an element and has not released it
	turn    uint64            // messages taken in hand so far
	orphan  *shm.Orphan       // whose seat it lies in, if not in ours
	orphans uint64            // layout.Control.Orphans when we last looked
	single  bool              // every block is one element
	empty   int               // tries that found nothing and are left until we look for dead peers
	ending  bool              // the end was seen, and a dead consumer's message may still come
	_       [layout.Line]byte // as in the ends
}

func newBlocks(e *end, s *shm.Segment, role layout.Role) *blocks {
	spec := s.Spec()
	b := &blocks{exchange: newExchange(s, e, role), max: uint64(spec.Pack)}
	b.single = b.lead == 0
	if spec.Payload == layout.Message {
		b.max = uint64(spec.Elem.Size)
	}
	return b
}

// openBlocks finishes the opening of a producer's handle.
func (p *spscProducer) openBlocks(s *shm.Segment) {
	g := s.Header().Geometry
	p.x = newBlocks(&p.end, s, layout.RoleProducer)
	_, freed := layout.VersionsAt(s.Memory(), &g)
	p.x.begin(wordsIn(freed))
	p.ready = sender{p}
}

// sender is what blocked sends on an MPMC ring wait for.
type sender struct{ *spscProducer }

// sound finds nothing to check: an MPMC producer has no word of its own but its seat's.
func (sender) sound() error { return nil }

// look reports whether a refused send should be tried again.
func (w sender) look() bool {
	_, version, _ := w.x.load(w.x.pos)
	full := w.x.codec.Distance(version, 2*w.x.pos) == 1-2*int64(w.x.mask+1)
	return !full || w.control.State.Load() != layout.StateOpen // observes: Shutdown, MarkCorrupt
}

// sendBlock puts our block, which holds n elements or bytes, into the ring.
func (p *spscProducer) sendBlock(n uint64) error {
	p.x.setLen(n)
	failpoint.Hit(failpoint.SendFilled)
	if err := p.x.send(); err != nil {
		return p.sent(err)
	}
	return nil
}

// sent goes on where a try to send did not go through as usual.
func (p *spscProducer) sent(err error) error {
	for err == errAgain {
		err = p.x.send()
	}
	p.x.hops = 0
	switch err {
	case nil:
		return nil
	case errParked:
		return p.sentParked()
	}
	return p.refused(err)
}

// sentParked is the rest of a send that somebody waited for. A ring that was shut down
// has this message still, because its slot was not sealed; the next is refused.
func (p *spscProducer) sentParked() error {
	p.notify()
	err := p.state()
	if err == nil || p.fail(err) == shm.ErrClosed {
		return nil
	}
	return err
}

// refused says what a refused send means. Full is for now; the rest is for good.
func (p *spscProducer) refused(err error) error {
	switch err {
	case ErrFull:
		if err := p.state(); err != nil {
			return p.fail(err)
		}
		p.x.giveWay(&p.end)
		return ErrFull
	case errScribbled:
		return p.fail(p.corrupt(layout.ReasonSlot, p.x.pos))
	}
	return p.fail(err)
}

// giveWay is end.giveWayAfter after the exchanges since the last refused call.
func (b *blocks) giveWay(e *end) {
	n := b.pos - b.since
	b.since = b.pos
	e.giveWayAfter(n)
}

// fillable reports whether the producer may fill its own block.
func (p *spscProducer) fillable() error {
	if p.err != nil {
		return p.err
	}
	if p.reserved {
		panic("ringway: push or Reserve while a reservation is outstanding")
	}
	return nil
}
