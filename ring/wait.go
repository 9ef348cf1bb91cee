package ring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"ringway/futex"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

const (
	// slice bounds every park. A waker that was killed after it published and before
	// it woke, or whose wake went to a sleeper that was killed, costs at most this.
	slice = 100 * time.Millisecond

	// grace is what a running waker may take from its store to its wake before
	// somebody who noticed the store meanwhile calls the wake lost.
	grace = 5 * time.Millisecond
)

// readier is what a blocked call waits for: look reports whether the call that
// was refused should be tried again. It may be wrong with true, never with false.
type readier interface {
	look() bool
	sound() error
}

// blocked says what a blocking call does with the answer of its n-th try, counted
// from 0: return it, or, if that is nil, try again. The first tries are polls of the
// call itself, which is the fastest way to notice; then it waits.
func (e *end) blocked(ctx context.Context, err error, n int) error {
	if err != ErrFull && err != ErrEmpty {
		return err
	}
	if n < e.spin.polls() {
		order.Pause()
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	return e.wait(ctx)
}

// wait returns nil once the refused call should be tried again, or ctx's cause.
// It spins, then yields, then parks.
func (e *end) wait(ctx context.Context) error {
	if e.spin.single || e.spin.alone {
		runtime.Gosched() // the other side may be a goroutine of ours
		if e.ready.look() {
			return nil
		}
	}
	start := monotonic()
	sounded := start
	budget := e.spin.budget()
	for n := 1; budget < 0 || monotonic()-start < budget; n++ {
		for range polls {
			if e.ready.look() {
				e.spin.hit(monotonic() - start)
				return nil
			}
			order.Pause()
		}
		if n%yieldEvery == 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if now := monotonic(); now-sounded >= slice { // who never parks looks around as often
				sounded = now
				if err := e.lookAround(); err != nil {
					return err
				}
			}
			runtime.Gosched()
		}
	}
	err := e.park(ctx)
	e.spin.miss(monotonic()-start, budget > 0)
	return err
}

// park sleeps until the refused call should be tried again. Only a context that
// can be cancelled costs an allocation.
func (e *end) park(ctx context.Context) error {
	if ctx.Done() != nil {
		fired := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(fired)
			interrupt(e.own)
		})
		defer func() {
			if !stop() {
				<-fired // it touches the segment, which may be unmapped once we return
			}
		}()
	}
	for {
		token := e.own.Prepare()
		if err := e.fence(); err != nil {
			return err
		}
		if e.ready.look() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e.seat.Line.Parks.Add(1)
		err := e.own.Wait(token, slice)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = e.outslept(token)
		}
		if err != nil {
			return e.slept(err)
		}
		if e.ready.look() {
			return nil
		}
	}
}

// slept explains why a sleep failed.
func (e *end) slept(err error) error {
	if errors.Is(err, futex.ErrFault) {
		return fmt.Errorf("%s: %w: its memory is gone, somebody truncated the file; remove it and create the ring again", e.segment.Path(), shm.ErrFormat)
	}
	return err
}

// interrupt wakes whoever sleeps on an event, for a cancel. It runs in a goroutine of its
// own, where nobody could catch the fault if somebody truncated the file; the sleeper
// notices that by itself.
func interrupt(e *futex.Event) {
	var lost error
	defer shm.Guard(&lost)()
	e.Interrupt()
}

// fence is the sleeper's half of the asymmetric fence: whoever publishes without
// seeing the parked bit has published before this returns.
func (e *end) fence() error {
	if e.barrier {
		return order.Barrier()
	}
	return nil // Prepare is a full fence, and so is the publish of a full-fence ring
}

// lookAround makes sure of our seat, and of what nobody may have told us.
func (e *end) lookAround() error {
	if err := e.seat.Check(); err != nil {
		return err
	}
	return e.ready.sound()
}

// outslept looks around after a park ran out, also at whether we were due to be woken
// and were not, which is counted.
func (e *end) outslept(token uint32) error {
	if err := e.lookAround(); err != nil {
		return err
	}
	if !e.ready.look() {
		return nil
	}
	if err := e.own.Wait(token, grace); errors.Is(err, os.ErrDeadlineExceeded) {
		e.seat.Line.Rescues.Add(1)
	}
	return nil
}

func statsOf(s *shm.Segment) Stats {
	c := s.Control()
	if !s.Spec().Kind.Ring() {
		return Stats{Tail: loadPosition(&c.Tail), Cap: 1} // a variable's version; nothing waits in it
	}
	st := Stats{
		Head:   loadPosition(&c.Head), // before tail, so that tail is not behind it
		Tail:   loadPosition(&c.Tail),
		Cap:    s.Spec().Cap,
		Reaped: c.Reaped.Load(),
	}
	if s.Spec().Kind == layout.MPMC {
		st.Head, st.Tail = findPositions(s)
	} else if final, ok := layout.UnpackSeal(c.Seal.Load(), st.Tail); ok && int64(st.Tail-final) > 0 {
		st.Tail = final // a refused push moved the shared word, not the ring's end
	}
	st.Len = int(min(st.Tail-st.Head, uint64(st.Cap)))
	if int64(st.Tail-st.Head) < 0 {
		st.Len = 0
	}
	seats := layout.SeatsAt(s.Memory(), s.Spec().Seats)
	for i := range seats {
		st.Parks += seats[i].Parks.Load()
		st.Wakes += seats[i].Wakes.Load()
		st.Rescues += seats[i].Rescues.Load()
		st.Redelivered += seats[i].Redelivered.Load()
	}
	return st
}
