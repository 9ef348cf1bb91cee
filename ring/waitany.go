package ring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"ringway/futex"
	"ringway/internal/order"
)

// End is one of the four handle types: *Producer[T], *Consumer[T], *MsgProducer,
// *MsgConsumer.
type End interface{ endpoint() *end }

func (e *end) endpoint() *end { return e }

const (
	// pollSlice is how long Wait sleeps between looks where the kernel, or a
	// container's seccomp profile, has no futex_waitv, or where there are more ends
	// than it takes.
	pollSlice = 2 * time.Millisecond

	fewEnds = 8 // wait on these without allocating
)

// Wait blocks until one of ends would not block, and returns its index: a consumer
// that has something to take, a producer that has the room its last refused call
// wanted (one unit if none was refused), or an end whose ring was shut down or is corrupt.
// It may be wrong; try the call and Wait again. When ctx is done first it returns -1 and
// ctx's cause; an error with an index says what is wrong with that end's seat. Like a
// blocked call, Wait looks every 100 ms for what dead peers left.
//
// All ends must belong to the calling goroutine. For several ends it sleeps in futex_waitv
// (Linux 5.16, at most 128 ends) and wakes for any of them at once; elsewhere it looks every 2 ms.
func Wait(ctx context.Context, ends ...End) (int, error) {
	if len(ends) == 0 {
		return -1, errors.New("ringway: Wait without ends would never return; pass at least one")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	es := make([]*end, 0, fewEnds)
	for i, e := range ends {
		if e == nil {
			return -1, fmt.Errorf("ringway: end %d is nil", i)
		}
		es = append(es, e.endpoint())
	}
	if i := anyReady(es); i >= 0 { // before anything touches the memory of an end that is closed
		return i, nil
	}
	for range es[0].spin.polls() {
		if i := anyReady(es); i >= 0 {
			return i, nil
		}
		order.Pause()
	}
	return parkAny(ctx, es)
}

// anyReady returns the first end that would not block, or -1.
func anyReady(es []*end) int {
	for i, e := range es {
		if e.err != nil || e.ready.look() {
			return i
		}
	}
	return -1
}

func parkAny(ctx context.Context, es []*end) (int, error) {
	if ctx.Done() != nil {
		first := es[0].own
		fired := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(fired)
			interrupt(first)
		})
		defer func() {
			if !stop() {
				<-fired // it touches the segment, which may be unmapped once we return
			}
		}()
	}
	words := make([]futex.Waiter, 0, fewEnds)
	sounded := monotonic()
	for {
		words = words[:0]
		barrier := false
		for _, e := range es {
			words = append(words, futex.Waiter{Addr: e.own.Word(), Val: e.own.Prepare()})
			barrier = barrier || e.barrier
		}
		if barrier { // the sleeper's half of the asymmetric fence, once for all
			if err := order.Barrier(); err != nil {
				return -1, err
			}
		}
		if i := anyReady(es); i >= 0 {
			return i, nil
		}
		if ctx.Err() != nil {
			return -1, context.Cause(ctx)
		}
		if err := sleepAny(es, words); err != nil {
			return -1, es[0].slept(err)
		}
		if now := monotonic(); now-sounded >= slice { // as in park, but somebody else's traffic may have cut sleeps short
			sounded = now
			for i, e := range es {
				if err := e.lookAround(); err != nil && e.err == nil {
					return i, err
				}
			}
		}
		if i := anyReady(es); i >= 0 {
			return i, nil
		}
	}
}

// sleepAny sleeps for at most one slice, until one of words may have changed.
func sleepAny(es []*end, words []futex.Waiter) error {
	for _, e := range es {
		e.seat.Line.Parks.Add(1)
	}
	err := errors.ErrUnsupported
	if len(words) == 1 {
		err = futex.Wait(words[0].Addr, words[0].Val, slice)
	} else if len(words) <= futex.MaxWaiters {
		_, err = futex.WaitAny(words, slice)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = futex.Wait(words[0].Addr, words[0].Val, pollSlice)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
