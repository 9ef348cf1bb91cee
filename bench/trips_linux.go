package bench

import (
	"context"
	"fmt"

	"ringway/internal/order"
	"ringway/internal/telemetry"
	"ringway/ring"
	"ringway/shm"
)

// roundTrip sends each element there and back, by one loop that runs on both sides, or on the producer's by one with a clock.
// The producer then reads the clock once a trip, and its latencies include that.
func roundTrip[T element](loop func(*ring.Producer[T], *ring.Consumer[T], Side, int), timed func(*ring.Producer[T], *ring.Consumer[T], []uint64), o *ring.Options) work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		p, err := ring.NewProducer[T](seg[side], o)
		if err != nil {
			return nil, err
		}
		c, err := ring.NewConsumer[T](seg[1-side], o)
		if timed == nil || side != ProducerSide {
			return untimed(func(n int) { loop(p, c, side, n) }, err)
		}
		var at []uint64
		return func(n int) []int64 {
			if len(at) <= n {
				at = make([]uint64, n+1)
			}
			timed(p, c, at[:n+1])
			return differences(at[:n+1])
		}, err
	}
}

// differences returns the spans between instants.
func differences(at []uint64) []int64 {
	each := make([]int64, len(at)-1)
	for i := range each {
		each[i] = int64(at[i+1] - at[i])
	}
	return each
}

// pollThereAndBack has no calls but those it measures, so that nothing else copies the element.
func pollThereAndBack[T element](p *ring.Producer[T], c *ring.Consumer[T], side Side, n int) {
	var v T
	var err error
	for i := range n {
		if side == ProducerSide {
			v[0] = uint64(i)
			for p.TryPush(v) != nil {
				order.Pause()
			}
		}
		for v, err = c.TryPop(); err != nil; v, err = c.TryPop() {
			order.Pause()
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d", i, v[0]))
		}
		if side == ConsumerSide {
			for p.TryPush(v) != nil {
				order.Pause()
			}
		}
	}
}

// pollThereAndBackTimed is the producer's side, with the clock after each trip.
func pollThereAndBackTimed[T element](p *ring.Producer[T], c *ring.Consumer[T], at []uint64) {
	var v T
	var err error
	at[0] = telemetry.Now()
	for i := range len(at) - 1 {
		v[0] = uint64(i)
		for p.TryPush(v) != nil {
			order.Pause()
		}
		for v, err = c.TryPop(); err != nil; v, err = c.TryPop() {
			order.Pause()
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d", i, v[0]))
		}
		at[i+1] = telemetry.Now()
	}
}

// pollThereAndBackInPlace fills and reads the elements where they lie; the far side copies each from ring to ring.
func pollThereAndBackInPlace[T element](p *ring.Producer[T], c *ring.Consumer[T], side Side, n int) {
	for i := range n {
		if side == ProducerSide {
			v, err := p.Reserve()
			for ; err != nil; v, err = p.Reserve() {
				order.Pause()
			}
			(*v)[0] = uint64(i)
			if err := p.Commit(); err != nil {
				panic(err)
			}
		}
		v, err := c.Peek()
		for ; err != nil; v, err = c.Peek() {
			order.Pause()
		}
		if (*v)[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d", i, (*v)[0]))
		}
		if side == ConsumerSide {
			back, err := p.Reserve()
			for ; err != nil; back, err = p.Reserve() {
				order.Pause()
			}
			*back = *v
			if err := p.Commit(); err != nil {
				panic(err)
			}
		}
		c.Release()
	}
}

func waitThereAndBack[T element](p *ring.Producer[T], c *ring.Consumer[T], side Side, n int) {
	ctx := context.Background()
	var v T
	var err error
	for i := range n {
		if side == ProducerSide {
			v[0] = uint64(i)
			if err := p.Push(ctx, v); err != nil {
				panic(err)
			}
		}
		if v, err = c.Pop(ctx); err != nil || v[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d: %v", i, v[0], err))
		}
		if side == ConsumerSide {
			if err := p.Push(ctx, v); err != nil {
				panic(err)
			}
		}
	}
}

// waitThereAndBackTimed is the producer's side, with the clock after each trip.
func waitThereAndBackTimed[T element](p *ring.Producer[T], c *ring.Consumer[T], at []uint64) {
	ctx := context.Background()
	var v T
	var err error
	at[0] = telemetry.Now()
	for i := range len(at) - 1 {
		v[0] = uint64(i)
		if err := p.Push(ctx, v); err != nil {
			panic(err)
		}
		if v, err = c.Pop(ctx); err != nil || v[0] != uint64(i) {
			panic(fmt.Sprintf("round trip %d carries %d: %v", i, v[0], err))
		}
		at[i+1] = telemetry.Now()
	}
}
