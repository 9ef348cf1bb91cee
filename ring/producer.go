package ring

import (
	"context"
	"fmt"

	"ringway/internal/failpoint"
	"ringway/internal/invariant"
	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// Producer fills a ring of T. It serves one goroutine at a time (checked under
// -race and with the build tag invariants), and holds its seat until Close.
type Producer[T any] struct {
	spscProducer
	slots slots[T]
	_     [layout.Line]byte // the next object on the heap may be somebody else's busy end
}

// NewProducer takes the producer's seat of s. The error matches ErrKind if s is
// not a ring of elements, ErrType if T cannot be shared or is not the ring's type,
// shm.ErrBusy (it names the holder) if the seat is taken by a living process,
// shm.ErrFence if this process cannot do the fence the ring needs, or ErrCorrupt.
// A seat whose owner died is taken at once, and the stream goes on where it stood.
func NewProducer[T any](s *shm.Segment, o *Options) (*Producer[T], error) {
	data, err := elements[T](s)
	if err != nil {
		return nil, err
	}
	p := &Producer[T]{slots: data}
	if err := p.open(s, layout.Fixed, o); err != nil {
		return nil, err
	}
	return p, nil
}

// elements views the data area of s as slots of T, if it is that.
func elements[T any](s *shm.Segment) (slots[T], error) {
	want, err := layout.ElemOf[T]()
	if err != nil {
		return slots[T]{}, err
	}
	spec := s.Spec()
	if spec.Payload == layout.Fixed && spec.Elem != want {
		var t T
		return slots[T]{}, fmt.Errorf("%s: %w: the ring's elements have %d bytes and type %016x, %T has %d and %016x; both sides must be built with the same struct",
			s.Path(), ErrType, spec.Elem.Size, spec.Elem.Hash, t, want.Size, want.Hash)
	}
	if spec.Payload != layout.Fixed || spec.Kind != layout.SPSC {
		return slots[T]{}, nil // blocks instead, or sit says what is wrong
	}
	g := s.Header().Geometry
	if s.Memory() == nil {
		return slots[T]{}, nil // closed: sit says so
	}
	return slotsIn[T](s.Memory()[g.DataOff:g.DataOff+g.DataSize], spec.Cap), nil
}

// TryPush copies v into the ring. It returns nil, ErrFull, shm.ErrClosed or
// ErrCorrupt. Once it has returned nil, v survives the death of this process.
func (p *Producer[T]) TryPush(v T) error {
	if invariant.Enabled {
		p.inUse.Enter("Producer")
		defer p.inUse.Leave()
	}
	t := p.tail
	if t == p.fast {
		if x := p.x; x != nil {
			if err := p.fillable(); err != nil {
				return err
			}
			if at := elementOf[T](x.area, x.own*x.stride+x.lead); p.slots.word() {
				*at = v
			} else {
				store(at, &v)
			}
			x.setLen(1)
			failpoint.Hit(failpoint.SendFilled)
			if err := x.send(); err != nil {
				return p.sent(err)
			}
			return nil
		}
		return p.pushSlow(v)
	}
	if p.slots.word() {
		*p.slots.at(t) = v
	} else {
		p.slots.put(t, &v)
	}
	p.tail = t + 1
	if race.Enabled && p.mapped {
		race.Release()
	}
	// release: passes slot t to the consumer; pairs with the acquire in spscConsumer.found and reload.
	order.StoreRelease(p.tailWord, t+1)
	if p.other.Parked() { // observes: Prepare by a consumer, or Alert; its barrier came between
		return p.published()
	}
	return nil
}

// pushSlow is TryPush on an SPSC ring off the busy path. It takes v by value so that
// a small v stays in registers there.
//
//go:noinline
func (p *Producer[T]) pushSlow(v T) error {
	if err := p.one(); err != nil {
		return err
	}
	p.slots.put(p.tail, &v)
	return p.publish(p.tail + 1)
}

// Push is TryPush that waits for room. It returns ctx's cause when ctx is done
// first; v was not pushed then. It allocates only to park with a context that can
// be cancelled. A parked Push holds an operating system thread.
func (p *Producer[T]) Push(ctx context.Context, v T) error {
	for try := 0; ; try++ {
		err := p.TryPush(v)
		if err == nil {
			return nil
		}
		if err := p.blocked(ctx, err, try); err != nil {
			return err
		}
	}
}

// TryPushN copies as many of vs as fit and publishes them at once. It returns how
// many, and ErrFull only if that is none (and vs is not empty).
func (p *Producer[T]) TryPushN(vs []T) (int, error) {
	if invariant.Enabled {
		p.inUse.Enter("Producer")
		defer p.inUse.Leave()
	}
	if len(vs) == 0 {
		return 0, p.err
	}
	if p.x != nil {
		return p.pushBlocks(vs)
	}
	want := min(uint64(len(vs)), p.size)
	free := p.fast - p.tail
	if free < want {
		if err := p.room(want); err == ErrFull {
			p.need = 1
			if p.limit == p.tail {
				return 0, err
			}
		} else if err != nil {
			return 0, err
		}
		free = p.limit - p.tail
	}
	n := min(want, free)
	// For observers: from here on slots below tail+n may change. Ahead of the stores
	// below where the machine keeps stores in order.
	p.announce(p.tail + n)
	first := p.slots.run(p.tail, n)
	k := copy(first, vs[:n])
	copy(p.slots.run(p.tail+uint64(k), n-uint64(k)), vs[k:n])
	err := p.publish(p.tail + n)
	p.from = p.tail // a batch is no burst of single elements
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// PushN pushes all of vs, in batches as large as there is room for, waiting in
// between. It returns how many were pushed, and if that is not all, why.
func (p *Producer[T]) PushN(ctx context.Context, vs []T) (int, error) {
	done := 0
	for try := 0; ; try++ {
		n, err := p.TryPushN(vs[done:])
		done += n
		if done == len(vs) {
			return done, err
		}
		if err == nil {
			try = -1
			continue
		}
		if err := p.blocked(ctx, err, try); err != nil {
			return done, err
		}
	}
}

// Reserve returns the next free slot to be filled in place; it holds what an
// earlier lap left there. On an MPMC ring it is the producer's own block and never
// full. The pointer is valid until Commit or Abort. At most one reservation may be
// outstanding; a second Reserve, or a push, panics. Errors are those of TryPush.
func (p *Producer[T]) Reserve() (*T, error) {
	if invariant.Enabled {
		p.inUse.Enter("Producer")
		defer p.inUse.Leave()
	}
	if p.x != nil {
		return p.reserveBlock()
	}
	if p.tail == p.fast {
		if err := p.one(); err != nil {
			return nil, err
		}
	}
	p.reserved = true
	p.fast = p.tail // as arm does
	return p.slots.at(p.tail), nil
}

// Commit publishes the reserved slot. The error is shm.ErrClosed or ErrCorrupt, and the
// reservation is gone either way; on an MPMC ring also ErrFull, and then it stays.
// Without a reservation it panics.
func (p *Producer[T]) Commit() error {
	if invariant.Enabled {
		p.inUse.Enter("Producer")
		defer p.inUse.Leave()
	}
	if !p.reserved || !p.asym || p.err != nil {
		return p.commit()
	}
	t := p.tail + 1
	p.reserved = false
	p.tail = t
	p.fast = p.limit // as arm does
	if race.Enabled && p.mapped {
		race.Release()
	}
	// release: passes the slot to the consumer; pairs with the acquire in spscConsumer.found and reload.
	order.StoreRelease(p.tailWord, t)
	if p.other.Parked() { // observes: Prepare by a consumer, or Alert; its barrier came between
		return p.published()
	}
	return nil
}

// commit is Commit in all but the usual case.
func (p *spscProducer) commit() error {
	if p.err != nil {
		p.reserved = false // Close may have taken it already
		return p.err
	}
	if !p.reserved {
		panic("ringway: Commit without a reservation")
	}
	if p.x != nil {
		return p.commitBlock(1)
	}
	p.reserved = false
	return p.publish(p.tail + 1)
}

// Abort gives the reservation up; nothing of it is ever seen. Without one it does nothing.
func (p *Producer[T]) Abort() {
	p.reserved = false
	p.arm()
}

// Stats returns the ring's positions and counts. Any goroutine may call it until Close.
func (p *Producer[T]) Stats() Stats { return p.stats() }

// Close gives the seat up, aborting a reservation. It is idempotent, leaves what was
// committed to the consumer, and does not end the ring: see shm.Segment.Shutdown.
func (p *Producer[T]) Close() error { return p.close() }
