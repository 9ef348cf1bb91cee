package ring

import (
	"context"
	"iter"
	"slices"

	"ringway/internal/invariant"
	"ringway/layout"
	"ringway/shm"
)

// MsgConsumer empties a ring of messages. It serves one goroutine at a time
// (checked under -race and with the build tag invariants), and holds its seat until Close.
type MsgConsumer struct {
	spscConsumer
	msgs
	_ [layout.Line]byte
}

// NewMsgConsumer takes the consumer's seat of s; errors as for NewProducer. It
// goes on with the first message that the last owner had not released.
func NewMsgConsumer(s *shm.Segment, o *Options) (*MsgConsumer, error) {
	return newMsgConsumer(s, layout.Message, o)
}

// NewRawConsumer is NewMsgConsumer on a ring of fixed elements whose type nobody
// checks: a message is the bytes of one element. It is for tools.
func NewRawConsumer(s *shm.Segment, o *Options) (*MsgConsumer, error) {
	return newMsgConsumer(s, layout.Fixed, o)
}

func newMsgConsumer(s *shm.Segment, payload layout.Payload, o *Options) (*MsgConsumer, error) {
	c := new(MsgConsumer)
	if err := c.open(s, payload, o); err != nil {
		return nil, err
	}
	c.msgs = msgsIn(s)
	return c, nil
}

// TryPop appends the oldest message to dst, returns the extended slice, and releases
// the message. The error is ErrEmpty, ErrCorrupt, or shm.ErrClosed once the ring was
// shut down and is drained; dst comes back as it was then. It allocates only if dst
// lacks the room. A message that Peek handed out is taken and released.
func (c *MsgConsumer) TryPop(dst []byte) ([]byte, error) {
	if invariant.Enabled {
		c.inUse.Enter("MsgConsumer")
		defer c.inUse.Leave()
	}
	b, err := c.oldest()
	if err != nil {
		return dst, err
	}
	if len(b) <= piece {
		dst = append(dst, b...)
	} else {
		n := len(dst)
		dst = slices.Grow(dst, len(b))[:n+len(b)]
		deposit(dst[n:], b)
	}
	c.release()
	return dst, nil
}

// Pop is TryPop that waits. It returns ctx's cause when ctx is done first, and has
// taken nothing then. A parked Pop holds an operating system thread.
func (c *MsgConsumer) Pop(ctx context.Context, dst []byte) ([]byte, error) {
	for try := 0; ; try++ {
		b, err := c.TryPop(dst)
		if err == nil {
			return b, nil
		}
		if err := c.blocked(ctx, err, try); err != nil {
			return dst, err
		}
	}
}

// Peek returns the oldest message in place, the same one until it is released. The
// slice is valid until Release, TryPop or Pop. If this process dies before the
// release, the next consumer gets the message again. Errors are those of TryPop.
func (c *MsgConsumer) Peek() ([]byte, error) {
	if invariant.Enabled {
		c.inUse.Enter("MsgConsumer")
		defer c.inUse.Leave()
	}
	b, err := c.oldest()
	if err != nil {
		return nil, err
	}
	c.arm()
	return b, nil
}

// Release passes the message that Peek returned back to the producer. Without
// one it panics.
func (c *MsgConsumer) Release() {
	if invariant.Enabled {
		c.inUse.Enter("MsgConsumer")
		defer c.inUse.Leave()
	}
	if c.held == 0 {
		panic("ringway: Release without Peek")
	}
	c.release()
}

// All yields messages in place as they come and ends when the ring was shut down
// and is drained. A slice is valid until the loop body ends, when its message is
// released; a break releases it too. When ctx is done or the ring is corrupt All yields
// that error, once, and ends.
func (c *MsgConsumer) All(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for try := 0; ; try++ {
			b, err := c.Peek()
			if err == nil && ctx != nil && ctx.Err() != nil {
				yield(nil, context.Cause(ctx)) // the message stays
				return
			}
			if err == nil {
				if !c.lend(b, yield) {
					return
				}
				try = -1
				continue
			}
			if err := c.blocked(ctx, err, try); err != nil {
				if err != shm.ErrClosed {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// lend yields one message and releases it, unless the loop body did that itself.
func (c *MsgConsumer) lend(b []byte, yield func([]byte, error) bool) bool {
	at := c.turn()
	defer func() {
		if c.err == nil && c.turn() == at && c.held != 0 {
			c.Release()
		}
	}()
	return yield(b, nil) && c.err == nil
}

// turn tells one message that Peek hands out from the next.
func (c *MsgConsumer) turn() [2]uint64 {
	if c.x != nil {
		return [2]uint64{c.x.turn, c.x.index} // index: elements of a packed block
	}
	return [2]uint64{c.head}
}

// Redelivered reports whether the message just returned or peeked had been handed
// to a consumer that died. On an SPSC ring it is always false: there the next
// owner just goes on at the stored position, and whoever peeks must expect a repeat.
func (c *MsgConsumer) Redelivered() bool { return c.x != nil && c.x.told }

// Stats returns the ring's positions and counts. Any goroutine may call it until Close.
func (c *MsgConsumer) Stats() Stats { return c.stats() }

// Close gives the seat up; what was peeked and not released goes to the next
// consumer. It is idempotent.
func (c *MsgConsumer) Close() error { return c.close() }
