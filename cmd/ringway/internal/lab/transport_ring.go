package lab

import (
	"context"
	"errors"
	"os"
	"time"

	"ringway/internal/order"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// openRing makes a ring that holds two messages of that size, or roomFor bytes.
func openRing(size int) (channel, error) {
	capacity := roomFor
	for capacity < 2*size+16 {
		capacity *= 2
	}
	spec, err := ring.MsgSpec(layout.SPSC, capacity, size)
	if err != nil {
		return channel{}, err
	}
	s, err := shm.CreateTemp(spec)
	if err != nil {
		return channel{}, err
	}
	return channel{s.File(), s.File(), s.Close}, nil
}

// eager polls for a while before it parks.
type eager struct{ end ring.End }

// eagerFor is about what waking a parked process costs.
const eagerFor = uint64(50 * time.Microsecond)

// after returns nil when the call that was refused should be tried again.
func (e *eager) after(refused error, try int, since *uint64) error {
	if refused != ring.ErrFull && refused != ring.ErrEmpty {
		return refused
	}
	if try == 0 {
		*since = now()
	}
	if order.CPUs() > 1 && (try%32 != 31 || now()-*since < eagerFor) {
		order.Pause()
		return nil
	}
	_, err := ring.Wait(context.Background(), e.end)
	return err
}

// ringSender fills messages in the ring.
type ringSender struct {
	segment *shm.Segment
	ring    *ring.MsgProducer
	eager
	size int
}

func newRingSender(f *os.File, size int) (sender, error) {
	s, err := shm.OpenFile(f)
	if err != nil {
		return nil, err
	}
	p, err := ring.NewMsgProducer(s, nil)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &ringSender{s, p, eager{p}, size}, nil
}

func (r *ringSender) next() ([]byte, error) {
	var since uint64
	for try := 0; ; try++ {
		m, err := r.ring.Reserve(r.size)
		if err == nil {
			return m, nil
		}
		if err := r.after(err, try, &since); err != nil {
			return nil, err
		}
	}
}

func (r *ringSender) send() error  { return r.ring.Commit(r.size) }
func (r *ringSender) Close() error { return errors.Join(r.ring.Close(), r.segment.Close()) }

// ringReceiver uses messages in the ring.
type ringReceiver struct {
	segment *shm.Segment
	ring    *ring.MsgConsumer
	eager
}

func newRingReceiver(f *os.File) (receiver, error) {
	s, err := shm.OpenFile(f)
	if err != nil {
		return nil, err
	}
	c, err := ring.NewMsgConsumer(s, nil)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &ringReceiver{s, c, eager{c}}, nil
}

func (r *ringReceiver) next() ([]byte, error) {
	var since uint64
	for try := 0; ; try++ {
		m, err := r.ring.Peek()
		if err == nil {
			return m, nil
		}
		if err := r.after(err, try, &since); err != nil {
			return nil, err
		}
	}
}

func (r *ringReceiver) done() error  { r.ring.Release(); return nil }
func (r *ringReceiver) Close() error { return errors.Join(r.ring.Close(), r.segment.Close()) }
