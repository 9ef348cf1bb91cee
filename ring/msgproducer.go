package ring

import (
	"context"
	"fmt"

	"ringway/internal/invariant"
	"ringway/layout"
	"ringway/shm"
)

// MsgProducer fills a ring of messages. It serves one goroutine at a time (checked
// under -race and with the build tag invariants), and holds its seat until Close.
type MsgProducer struct {
	spscProducer
	msgs
	last     uint64 // size of the last record published, 0 if another owner wrote it
	at, back uint64 // where the claimed record begins, and the size of what is before it
	promised uint64 // bytes of the outstanding reservation
	_        [layout.Line]byte
}

// NewMsgProducer takes the producer's seat of s; errors as for NewProducer.
func NewMsgProducer(s *shm.Segment, o *Options) (*MsgProducer, error) {
	return newMsgProducer(s, layout.Message, o)
}

// NewRawProducer is NewMsgProducer on a ring of fixed elements whose type nobody
// checks: a message is the bytes of one element, exactly. It is for tools.
func NewRawProducer(s *shm.Segment, o *Options) (*MsgProducer, error) {
	return newMsgProducer(s, layout.Fixed, o)
}

func newMsgProducer(s *shm.Segment, payload layout.Payload, o *Options) (*MsgProducer, error) {
	p := new(MsgProducer)
	if err := p.open(s, payload, o); err != nil {
		return nil, err
	}
	p.msgs = msgsIn(s)
	if p.x == nil && p.elem == 0 && p.tail%layout.RecordHeader != 0 {
		return nil, p.abandon(p.corrupt(layout.ReasonPositions, p.tail))
	}
	return p, nil
}

// MaxLen is the longest message in bytes.
func (p *MsgProducer) MaxLen() int { return int(p.max) }

// TryPush copies msg into the ring. It returns nil, ErrFull, ErrTooLarge,
// shm.ErrClosed or ErrCorrupt. Once it has returned nil, the message survives the
// death of this process. An empty message is a message.
func (p *MsgProducer) TryPush(msg []byte) error {
	if invariant.Enabled {
		p.inUse.Enter("MsgProducer")
		defer p.inUse.Leave()
	}
	b, err := p.claim(uint64(len(msg)))
	if err != nil {
		return err
	}
	deposit(b, msg)
	return p.finish(uint64(len(msg)))
}

// Push is TryPush that waits for room. It returns ctx's cause when ctx is done
// first; msg was not pushed then. It allocates only to park with a context that can
// be cancelled. A parked Push holds an operating system thread.
func (p *MsgProducer) Push(ctx context.Context, msg []byte) error {
	for try := 0; ; try++ {
		err := p.TryPush(msg)
		if err == nil {
			return nil
		}
		if err := p.blocked(ctx, err, try); err != nil {
			return err
		}
	}
}

// Reserve returns n bytes of the ring to be filled in place; they hold what an
// earlier lap left there. The slice is valid until Commit or Abort and cannot be
// grown. At most one reservation may be outstanding; a second Reserve, or a push,
// panics. Errors as for TryPush.
func (p *MsgProducer) Reserve(n int) ([]byte, error) {
	if invariant.Enabled {
		p.inUse.Enter("MsgProducer")
		defer p.inUse.Leave()
	}
	if n < 0 {
		panic(fmt.Sprintf("ringway: Reserve of %d bytes", n))
	}
	b, err := p.claim(uint64(n))
	if err != nil {
		return nil, err
	}
	p.reserved, p.promised = true, uint64(n)
	p.arm()
	return b, nil
}

// Commit publishes the first n bytes of the reservation as a message. The error
// is shm.ErrClosed or ErrCorrupt, and the reservation is gone either way; on an MPMC ring
// also ErrFull, and then it stays. It panics without a reservation, and if n is not within it.
func (p *MsgProducer) Commit(n int) error {
	if invariant.Enabled {
		p.inUse.Enter("MsgProducer")
		defer p.inUse.Leave()
	}
	if !p.reserved {
		if p.err != nil {
			return p.err // Close took the reservation
		}
		panic("ringway: Commit without a reservation")
	}
	if n < 0 || uint64(n) > p.promised || p.elem != 0 && uint64(n) != p.elem {
		panic(fmt.Sprintf("ringway: Commit of %d bytes of a reservation of %d", n, p.promised))
	}
	if p.x != nil && p.err == nil {
		if p.elem != 0 {
			n = 1
		}
		return p.commitBlock(uint64(n))
	}
	p.reserved = false
	p.arm()
	if p.err != nil {
		return p.err
	}
	return p.finish(uint64(n))
}

// Abort gives the reservation up; nothing of it is ever seen. Without one it does nothing.
func (p *MsgProducer) Abort() {
	p.reserved = false
	p.arm()
}

// Stats returns the ring's positions and counts. Any goroutine may call it until Close.
func (p *MsgProducer) Stats() Stats { return p.stats() }

// Close gives the seat up, aborting a reservation. It is idempotent, leaves what was
// committed to the consumer, and does not end the ring: see shm.Segment.Shutdown.
func (p *MsgProducer) Close() error { return p.close() }
