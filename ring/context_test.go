package ring

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/shm"
)

func cancels() int {
	switch {
	case long():
		return 100_000
	case race.Enabled:
		return 2_000
	}
	return 10_000
}

// pauseUpTo lets a random moment pass.
func pauseUpTo(random *rand.Rand, n int) {
	for range random.IntN(n) {
		order.Pause()
	}
}

// blocking is a call that blocks on a ring, and the one that lets it go on.
type blocking struct {
	s          *shm.Segment
	wait       func(ctx context.Context) error
	help       func() error
	reset      func() // until wait blocks again
	unit, less int    // what wait moves, and whether it adds to the ring or takes
}

func blockingCalls(t *testing.T, b bed) map[string]blocking {
	o := parkAtOnce
	s := startAt(b.segment(t, specOf[uint64](t, 2)), starts[4])
	p, c := mustProducer[uint64](t, s, o), mustConsumer[uint64](t, s, o)
	m := startAt(b.segment(t, msgSpec(t, 64)), 1<<64-64) // two messages and no padding
	mp, mc := mustMsgProducer(t, m, o), mustMsgConsumer(t, m, o)
	dst, msg := make([]uint64, 1), make([]byte, 24)
	empty := func() {
		for second(c.TryPop()) == nil {
		}
		for second(mc.TryPop(nil)) == nil {
		}
	}
	full := func() {
		for p.TryPush(0) == nil {
		}
		for mp.TryPush(msg) == nil {
		}
	}
	return map[string]blocking{
		"Pop":     {s, func(ctx context.Context) error { return second(c.Pop(ctx)) }, func() error { return p.TryPush(1) }, empty, 1, -1},
		"PopN":    {s, func(ctx context.Context) error { return second(c.PopN(ctx, dst)) }, func() error { return p.TryPush(1) }, empty, 1, -1},
		"Push":    {s, func(ctx context.Context) error { return p.Push(ctx, 1) }, func() error { return second(c.TryPop()) }, full, 1, 1},
		"PushN":   {s, func(ctx context.Context) error { return second(p.PushN(ctx, dst)) }, func() error { return second(c.TryPop()) }, full, 1, 1},
		"msgPop":  {m, func(ctx context.Context) error { return second(mc.Pop(ctx, nil)) }, func() error { return mp.TryPush(msg) }, empty, 32, -1},
		"msgPush": {m, func(ctx context.Context) error { return mp.Push(ctx, msg) }, func() error { return second(mc.TryPop(nil)) }, full, 32, 1},
	}
}

// A cancel that races with what the call waits for: the call succeeds, or returns
// the cause and has done nothing.
func TestCancelRaces(t *testing.T) {
	needSegments(t)
	before := runtime.NumGoroutine()
	onBeds(t, func(t *testing.T, b bed) {
		random := newRand(seed(t), 0)
		calls := blockingCalls(t, b)
		var worst time.Duration
		won, lost := 0, 0
		for name, call := range calls {
			for range cancels() / 4 / len(calls) {
				call.reset()
				ctx, cancel := context.WithCancelCause(t.Context())
				had := statsOf(call.s).Len
				result := make(chan error, 1)
				go func() { result <- call.wait(ctx) }()
				pauseUpTo(random, 200)
				helped := random.IntN(3) > 0
				first := random.IntN(2) == 0
				if helped && first {
					wantErr(t, "what "+name+" waits for", call.help(), nil)
				}
				begin := time.Now()
				cancel(errStop)
				if helped && !first {
					wantErr(t, "what "+name+" waits for", call.help(), nil)
				}
				var err error
				finishes(t, "a cancelled "+name, func() { err = <-result })
				worst = max(worst, time.Since(begin))
				want := had // and what the two calls did to it
				if helped {
					want -= call.less * call.unit
				}
				if err == nil {
					want += call.less * call.unit
					won++
				} else {
					wantErr(t, "a cancelled "+name, err, errStop)
					lost++
				}
				if got := statsOf(call.s).Len; got != want || err == nil && !helped {
					t.Fatalf("%s = %v, helped %v: the ring had %d, has %d, want %d", name, err, helped, had, got, want)
				}
			}
		}
		t.Logf("%d cancels: %d calls came first, %d were cancelled; worst return %v", won+lost, won, lost, worst)
	})
	until(t, "no goroutine is left behind", func() bool { return runtime.NumGoroutine() <= before })
}

// A cancelled call that was about to be woken must not take the wake-up along: both
// sides of a stream are cancelled all the time and nothing is lost, doubled or rescued.
func TestCancelStorm(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		seed := seed(t)
		s := startAt(b.segment(t, specOf[pair](t, 1)), starts[4])
		p, c := mustProducer[pair](t, s, parkAtOnce), mustConsumer[pair](t, s, parkAtOnce)
		const count = 1000
		retry := func(random *rand.Rand, call func(ctx context.Context) error) error {
			for {
				ctx, cancel := context.WithCancelCause(t.Context())
				if random.IntN(2) == 0 {
					go func() { pauseUpTo(random, 100); cancel(errStop) }()
				}
				err := call(ctx)
				cancel(nil)
				if err != errStop {
					return err
				}
			}
		}
		done := make(chan error, 1)
		go func() {
			var err error
			for n := uint64(0); n < count && err == nil; n++ {
				random := newRand(seed, n)
				err = retry(random, func(ctx context.Context) error { return p.Push(ctx, pairOf(n)) })
			}
			done <- err
		}()
		finishes(t, "the stream", func() {
			for n := range uint64(count) {
				random := newRand(seed, count+n)
				var v pair
				err := retry(random, func(ctx context.Context) (err error) { v, err = c.Pop(ctx); return err })
				if err != nil || v != pairOf(n) {
					t.Errorf("Pop = %x, %v, want element %d", v, err, n)
					return
				}
			}
		})
		wantErr(t, "the producer", <-done, nil)
		if st := statsOf(s); st.Rescues != 0 || st.Len != 0 {
			t.Errorf("at the end: %+v", st)
		}
	})
}

func TestContextDoneBefore(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for name, call := range blockingCalls(t, b) {
			call.reset()
			parks := statsOf(call.s).Parks
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errStop)
			wantErr(t, name+" with a cancelled context", call.wait(ctx), errStop)
			wantErr(t, "what "+name+" waits for", call.help(), nil)
			wantErr(t, name+" that need not wait", call.wait(ctx), nil)
			if got := statsOf(call.s).Parks; got != parks {
				t.Errorf("%s parked %d times with a context that was cancelled before", name, got-parks)
			}
		}
	})
}

func TestDeadline(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for name, call := range blockingCalls(t, b) {
			call.reset()
			const limit = 3 * time.Millisecond
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			finishes(t, name+" with a deadline", func() {
				wantErr(t, name+" with a deadline", call.wait(ctx), context.DeadlineExceeded)
			})
			cancel()
			if took := time.Since(begin); took < limit {
				t.Errorf("%s gave up after %v of %v", name, took, limit)
			}
		}
	})
}

// Who never parks is cancelled all the same.
func TestCancelOfSpinning(t *testing.T) {
	b := plainBed(t)
	c := mustConsumer[uint64](t, b.segment(t, specOf[uint64](t, 1)), &Options{Spin: -1})
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errStop)
	defer cancel()
	finishes(t, "Pop that spins", func() { wantErr(t, "Pop", second(c.Pop(ctx)), errStop) })
	if st := c.Stats(); st.Parks != 0 {
		t.Errorf("a consumer with Spin < 0 parked: %+v", st)
	}
}

// The cancel touches the segment, which is gone as soon as the call has returned.
func TestSegmentGoesAfterCancel(t *testing.T) {
	b := plainBed(t)
	random := newRand(seed(t), 0)
	rounds := 500
	if race.Enabled {
		rounds = 100
	}
	for n := range rounds {
		s := roundSegment(t, b, specOf[uint64](t, 1))
		c, err := NewConsumer[uint64](s, parkAtOnce)
		wantErr(t, "NewConsumer", err, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if n%3 == 0 {
				Wait(ctx, c)
			} else {
				c.Pop(ctx)
			}
			c.Close()
			s.Close()
		}()
		pauseUpTo(random, 200)
		if n%2 == 0 {
			s.Shutdown() // ErrClosed if the other was faster
		}
		cancel(errStop)
		awaitDone(t, "a cancelled call", gone)
	}
}
