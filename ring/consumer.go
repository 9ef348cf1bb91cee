package ring

import (
	"context"
	"iter"

	"ringway/internal/invariant"
	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// Consumer empties a ring of T. It serves one goroutine at a time (checked under
// -race and with the build tag invariants), and holds its seat until Close.
type Consumer[T any] struct {
	spscConsumer
	slots slots[T]
	_     [layout.Line]byte // the next object on the heap may be somebody else's busy end
}

// NewConsumer takes the consumer's seat of s; errors as for NewProducer. It goes
// on with the first element that the last owner had not released.
func NewConsumer[T any](s *shm.Segment, o *Options) (*Consumer[T], error) {
	data, err := elements[T](s)
	if err != nil {
		return nil, err
	}
	c := &Consumer[T]{slots: data}
	if err := c.open(s, layout.Fixed, o); err != nil {
		return nil, err
	}
	return c, nil
}

// TryPop copies the oldest element out. The error is ErrEmpty, ErrCorrupt, or
// shm.ErrClosed once the ring was shut down and is drained. An element that
// Peek handed out is taken and released.
func (c *Consumer[T]) TryPop() (v T, err error) {
	if invariant.Enabled {
		c.inUse.Enter("Consumer")
		defer c.inUse.Leave()
	}
	h := c.head
	if h == c.fast {
		if c.x != nil {
			if c.slots.word() {
				var w T // its address is taken: v stays in a register
				if ok, err := c.quick(&w); ok || err != nil {
					return w, err
				}
			} else if ok, err := c.quick(&v); ok || err != nil {
				return v, err
			}
			return c.popHand()
		}
		n := c.found()
		if n-1 >= c.size { // none, or not so simple
			if n == 0 && c.from == h {
				return v, ErrEmpty
			}
			return c.popSlow()
		}
		c.tail = h + n
		c.fast = c.tail
	}
	v = *c.slots.at(h)
	c.head = h + 1
	if race.Enabled && c.mapped {
		race.Release()
	}
	// release: slot h is read out; pairs with the acquire in spscProducer.room.
	order.StoreRelease(c.headWord, h+1)
	if c.other.Parked() { // observes: Prepare by a producer, or Alert; its barrier came between
		c.released()
	}
	return v, nil
}

// popSlow is TryPop on an SPSC ring off the busy path.
//
//go:noinline
func (c *Consumer[T]) popSlow() (v T, err error) {
	if err := c.one(); err != nil {
		return v, err
	}
	h := c.head // refresh may have released what All yielded
	v = *c.slots.at(h)
	c.publish(h + 1)
	return v, nil
}

// Pop is TryPop that waits. It returns ctx's cause when ctx is done first, and has
// taken nothing then. It allocates only to park with a context that can be
// cancelled. A parked Pop holds an operating system thread.
func (c *Consumer[T]) Pop(ctx context.Context) (T, error) {
	for try := 0; ; try++ {
		v, err := c.TryPop()
		if err == nil {
			return v, nil
		}
		if err := c.blocked(ctx, err, try); err != nil {
			return v, err
		}
	}
}

// TryPopN copies as many elements as there are and dst holds, and releases them at
// once. It returns how many, and ErrEmpty only if that is none (and dst is not empty).
func (c *Consumer[T]) TryPopN(dst []T) (int, error) {
	if invariant.Enabled {
		c.inUse.Enter("Consumer")
		defer c.inUse.Leave()
	}
	if len(dst) == 0 {
		return 0, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.x != nil {
		return c.popBlocks(dst)
	}
	c.settle()
	if uint64(len(dst)) > c.tail-c.head {
		if err := c.reload(); err != nil {
			if err == ErrEmpty {
				c.giveWay()
			}
			return 0, err
		}
		if c.slip.waiting {
			c.slip.found(c.tail - c.head)
		}
	}
	n := min(c.tail-c.head, uint64(len(dst)))
	k := copy(dst, c.slots.run(c.head, n))
	copy(dst[k:], c.slots.run(c.head+uint64(k), n-uint64(k)))
	c.publish(c.head + n)
	c.batched += n
	c.from = c.head // a batch is no burst of single elements
	return int(n), nil
}

// PopN waits for at least one element, then is TryPopN.
func (c *Consumer[T]) PopN(ctx context.Context, dst []T) (int, error) {
	for try := 0; ; try++ {
		n, err := c.TryPopN(dst)
		if err == nil {
			return n, nil
		}
		if err := c.blocked(ctx, err, try); err != nil {
			return 0, err
		}
	}
}

// Peek returns the oldest element in place, the same one until it is released. The
// pointer is valid until Release, TryPop or Pop. If this process dies before the
// release, the next consumer gets the element again. Errors are those of TryPop.
func (c *Consumer[T]) Peek() (*T, error) {
	if invariant.Enabled {
		c.inUse.Enter("Consumer")
		defer c.inUse.Leave()
	}
	if c.x != nil {
		return c.peekBlock()
	}
	if c.head == c.fast {
		n := c.found()
		if n-1 < c.size {
			c.tail = c.head + n
		} else if n == 0 && c.from == c.head {
			return nil, ErrEmpty
		} else if err := c.one(); err != nil {
			return nil, err
		}
	}
	c.held = 1
	c.fast = c.head // as arm does
	return c.slots.at(c.head), nil
}

// Release passes the element that Peek returned back to the producer. Without
// one it panics.
func (c *Consumer[T]) Release() {
	if invariant.Enabled {
		c.inUse.Enter("Consumer")
		defer c.inUse.Leave()
	}
	if c.held == 0 {
		panic("ringway: Release without Peek")
	}
	if c.x != nil {
		_ = c.drop(1) // an error sticks
		return
	}
	if !c.asym || c.err != nil {
		c.publish(c.head + 1)
		return
	}
	h := c.head + 1
	c.held = 0
	c.head = h
	c.fast = c.tail // as arm does
	if race.Enabled && c.mapped {
		race.Release()
	}
	// release: the slot is read out; pairs with the acquire in spscProducer.room.
	order.StoreRelease(c.headWord, h)
	if c.other.Parked() { // observes: Prepare by a producer, or Alert; its barrier came between
		c.released()
	}
}

// releaseEvery bounds what All holds back: elements handed out and not yet
// released, which come again if this process dies.
const releaseEvery = 64

// All yields elements as they come and ends when the ring was shut down and is
// drained. When ctx is done or the ring is corrupt it yields that error, once, and
// ends. It releases in batches of up to 64, and all of what it yielded when the
// loop ends for whatever reason; a consumer that is killed within the loop gets what was
// not released yet again.
func (c *Consumer[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for try := 0; ; try++ {
			c.inUse.Enter("Consumer")
			err := c.anything()
			c.inUse.Leave()
			if err == nil && ctx != nil && ctx.Err() != nil {
				yield(zero, context.Cause(ctx))
				return
			}
			if err == nil {
				if !c.batch(yield) {
					return
				}
				try = -1
				continue
			}
			if err := c.blocked(ctx, err, try); err != nil {
				if err != shm.ErrClosed {
					yield(zero, err)
				}
				return
			}
		}
	}
}

// batch yields what is there, up to releaseEvery, and releases it.
func (c *Consumer[T]) batch(yield func(T, error) bool) bool {
	if c.x != nil {
		return c.yieldBlock(yield)
	}
	n := min(c.tail-c.head, releaseEvery)
	from := c.head
	defer func() {
		if c.err == nil {
			c.settle()
		}
	}()
	for i := range n {
		v := *c.slots.at(from + i)
		c.lent, c.fast = i+1, c.head // the busy paths are off in the loop body
		if !yield(v, nil) {
			return false
		}
		if c.lent == 0 { // the loop body closed us or took something on its own
			return c.err == nil
		}
	}
	return true
}

// Redelivered reports whether the element just returned or peeked had been handed
// to a consumer that died. On an SPSC ring it is always false: there the next
// owner just goes on at the stored position, and whoever peeks must expect a repeat.
func (c *Consumer[T]) Redelivered() bool { return c.x != nil && c.x.told }

// Stats returns the ring's positions and counts. Any goroutine may call it until Close.
func (c *Consumer[T]) Stats() Stats { return c.stats() }

// Close gives the seat up; what was peeked and not released goes to the next
// consumer. It is idempotent.
func (c *Consumer[T]) Close() error { return c.close() }
