package bench

import (
	"context"
	"fmt"
	"time"

	"ringway/internal/order"
	"ringway/internal/telemetry"
	"ringway/ring"
	"ringway/shm"
)

// paced sends at a fixed rate, whatever the consumer does (an open loop, so no coordinated omission, see Gil Tene, "How NOT
// to Measure Latency"): each element carries the instant at which it was due, and its latency is counted from there to its
// use in the consumer. A producer that was held up sends what is overdue at once, and the wait counts.
func paced[T element](o *ring.Options, rate int) work {
	period := uint64(time.Second) / uint64(rate)
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		if side == ProducerSide {
			p, err := ring.NewProducer[T](seg[0], o)
			return untimed(func(n int) { pushPaced(p, n, period) }, err)
		}
		c, err := ring.NewConsumer[T](seg[0], o)
		var each []int64
		return func(n int) []int64 {
			if len(each) < n {
				each = make([]int64, n)
			}
			popPaced(c, each[:n], period)
			return each[:n]
		}, err
	}
}

// firstDue leaves the consumer time to begin, or its start would count as latency.
const firstDue = uint64(100 * time.Microsecond)

func pushPaced[T element](p *ring.Producer[T], n int, period uint64) {
	ctx := context.Background()
	var v T
	due := telemetry.Now() + firstDue
	for range n {
		for telemetry.Now() < due {
			order.Pause()
		}
		v[0] = due
		if err := p.Push(ctx, v); err != nil {
			panic(err)
		}
		due += period
	}
}

func popPaced[T element](c *ring.Consumer[T], each []int64, period uint64) {
	ctx := context.Background()
	var due uint64
	for i := range each {
		v, err := c.Pop(ctx)
		now := telemetry.Now()
		if err != nil {
			panic(err)
		}
		if i == 0 {
			due = v[0]
		}
		if v[0] != due {
			panic(fmt.Sprintf("element %d was due at %d and carries %d", i, due, v[0]))
		}
		each[i] = int64(now - due)
		due += period
	}
}

// idle has the consumer wait for n milliseconds; what it costs is the CPU of the sample.
func idle[T element](side Side, seg []*shm.Segment) (func(int) []int64, error) {
	ctx := context.Background()
	if side == ProducerSide {
		p, err := ring.NewProducer[T](seg[0], nil)
		return untimed(func(n int) {
			time.Sleep(time.Duration(n) * time.Millisecond) // the idleness that is measured
			var v T
			if err := p.Push(ctx, v); err != nil {
				panic(err)
			}
		}, err)
	}
	c, err := ring.NewConsumer[T](seg[0], nil)
	return untimed(func(int) {
		if _, err := c.Pop(ctx); err != nil {
			panic(err)
		}
	}, err)
}
