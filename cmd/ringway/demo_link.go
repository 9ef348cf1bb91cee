package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringway/internal/telemetry"
)

// demoLink is a producer and a consumer that are joined by one transport.
type demoLink struct {
	*demoRun
	producer, consumer *demoProcess
}

const (
	liveEvery = 250 * time.Millisecond

	// overrun is how much longer than planned a phase may take before it hangs.
	overrun = 30 * time.Second

	// condolence is how long to wait for the cause of death after one peer complained.
	condolence = 200 * time.Millisecond
)

// ready waits until both peers have opened their ends.
func (l *demoLink) ready(ctx context.Context) error {
	waiting := map[*demoProcess]bool{l.producer: true, l.consumer: true}
	return l.listen(ctx, overrun, func(e demoEvent) bool {
		if e.report.Ready {
			delete(waiting, e.from)
		}
		return len(waiting) == 0
	})
}

// phase has both peers do one phase and compares their accounts.
func (l *demoLink) phase(ctx context.Context, o demoOrder) (phaseResult, error) {
	l.consumer.order(o)
	l.producer.order(o)
	var p *produced
	var c *consumed
	err := l.listen(ctx, o.For+overrun, func(e demoEvent) bool {
		switch r := e.report; {
		case r.Progress != nil:
			l.live.progress(*r.Progress)
		case r.Produced != nil:
			p = r.Produced
		case r.Consumed != nil:
			c = r.Consumed
		}
		return p != nil && c != nil
	})
	if err != nil {
		return phaseResult{}, err
	}
	r := phaseResult{Phase: o.Phase, For: o.For, Produced: *p, Consumed: *c}
	r.Verified = p.Records == c.Records && p.Digest == c.Digest && c.Misplaced == 0 && c.Damaged == 0
	if c.Elapsed > 0 {
		r.RecordsPerSecond = float64(c.Records) / (float64(c.Elapsed) / 1e9)
		r.BytesPerSecond = r.RecordsPerSecond * telemetry.Size
	}
	return r, nil
}

// listen passes events to done until that is satisfied, a peer fails, ctx ends, or limit
// is over. It keeps the display alive.
func (l *demoLink) listen(ctx context.Context, limit time.Duration, done func(demoEvent) bool) error {
	hang := time.NewTimer(limit)
	defer hang.Stop()
	ticker := time.NewTicker(liveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-hang.C:
			return fmt.Errorf("producer (pid %d) and consumer (pid %d) gave no answer for %v", l.producer.pid(), l.consumer.pid(), limit)
		case <-ticker.C:
			l.live.paint()
		case e := <-l.events:
			if err := failure(e); err != nil {
				return l.cause(err, e)
			}
			if done(e) {
				return nil
			}
		}
	}
}

// failure says what is wrong with a peer according to e, if anything.
func failure(e demoEvent) error {
	if e.report.Error != "" {
		return fmt.Errorf("the %s (pid %d): %s", e.from.role, e.from.pid(), e.report.Error)
	}
	return e.ended
}

// cause waits a moment for the other peer: that one writes into a broken pipe is only
// the consequence of the other's death.
func (l *demoLink) cause(err error, first demoEvent) error {
	moment := time.NewTimer(condolence)
	defer moment.Stop()
	for {
		select {
		case <-moment.C:
			return err
		case e := <-l.events:
			if e.from == first.from {
				continue
			}
			if first.ended == nil && e.ended != nil {
				return e.ended
			}
			if other := failure(e); other != nil && first.ended == nil {
				err = errors.New(err.Error() + "; " + other.Error())
			}
		}
	}
}
