package ring

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ringway/internal/race"
	"ringway/shm"
)

// parkAtOnce makes a blocked call sleep as soon as it is blocked.
var parkAtOnce = &Options{Spin: 1}

// volley sends n values one way and awaits each on the way back.
func volley(p *Producer[uint64], c *Consumer[uint64], n uint64) error {
	ctx := context.Background()
	for i := range n {
		if err := p.Push(ctx, i); err != nil {
			return err
		}
		if v, err := c.Pop(ctx); err != nil || v != i {
			return errors.Join(err, errors.New("an answer to another question"))
		}
	}
	return nil
}

// answer sends back what comes, n times.
func answer(p *Producer[uint64], c *Consumer[uint64], n uint64) error {
	ctx := context.Background()
	for range n {
		v, err := c.Pop(ctx)
		if err != nil {
			return err
		}
		if err := p.Push(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// Both sides sleep every time; a lost wake-up would be counted as a rescue.
func TestPingPongParked(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		rounds := uint64(20_000)
		if b != plainBed(t) {
			rounds = 2_000
		}
		if race.Enabled {
			rounds /= 4
		}
		there, back := b.segment(t, specOf[uint64](t, 1)), b.segment(t, specOf[uint64](t, 1))
		p1, c1 := mustProducer[uint64](t, there, parkAtOnce), mustConsumer[uint64](t, there, parkAtOnce)
		p2, c2 := mustProducer[uint64](t, back, parkAtOnce), mustConsumer[uint64](t, back, parkAtOnce)
		done := make(chan error, 1)
		go func() { done <- answer(p2, c1, rounds) }()
		finishes(t, "the volley", func() { wantErr(t, "volley", volley(p1, c2, rounds), nil) })
		wantErr(t, "answer", <-done, nil)
		parked(t, rounds, there, back)
	})
}

func parked(t *testing.T, rounds uint64, rings ...*shm.Segment) {
	t.Helper()
	var parks, wakes uint64
	for _, s := range rings {
		st := statsOf(s)
		parks, wakes = parks+st.Parks, wakes+st.Wakes
		if st.Rescues != 0 {
			t.Errorf("%d of %d wake-ups were lost: %+v", st.Rescues, rounds, st)
		}
	}
	t.Logf("%d rounds: %d parks, %d wakes", rounds, parks, wakes)
	if parks == 0 {
		t.Errorf("nobody parked in %d rounds: nothing was tested", rounds)
	}
}

// Producers sleep too: a ring of one slot, filled by one side that never polls and
// emptied by another.
func TestBothSidesPark(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[uint64](t, 1))
		p, c := mustProducer[uint64](t, s, parkAtOnce), mustConsumer[uint64](t, s, parkAtOnce)
		const rounds = 3_000
		done := make(chan error, 1)
		go func() {
			var err error
			for n := uint64(0); n < rounds && err == nil; n++ {
				err = p.Push(background, n)
			}
			done <- err
		}()
		finishes(t, "the stream", func() {
			for n := range uint64(rounds) {
				if v, err := c.Pop(background); v != n || err != nil {
					t.Errorf("Pop = %d, %v, want %d", v, err, n)
					return
				}
			}
		})
		wantErr(t, "the producer", <-done, nil)
		parked(t, rounds, s)
	})
}

// A garbage collection must not wait for those who are parked.
func TestCollectionEndsWhileParked(t *testing.T) {
	b := plainBed(t)
	ctx, cancel := context.WithCancel(t.Context())
	const sleepers = 6
	done := make(chan struct{}, sleepers)
	var all []*shm.Segment
	for n := range sleepers {
		s := b.segment(t, specOf[uint64](t, 1))
		all = append(all, s)
		if n%2 == 0 {
			c := mustConsumer[uint64](t, s, parkAtOnce)
			go func() { c.Pop(ctx); done <- struct{}{} }()
			continue
		}
		p := mustProducer[uint64](t, s, parkAtOnce)
		wantErr(t, "TryPush", p.TryPush(1), nil)
		go func() { p.Push(ctx, 2); done <- struct{}{} }()
	}
	for _, s := range all {
		until(t, "parked", func() bool { return statsOf(s).Parks > 0 })
	}
	finishes(t, "the garbage collection", func() {
		for range 3 {
			runtime.GC()
		}
	})
	cancel()
	for range sleepers {
		awaitDone(t, "a cancelled sleeper", done)
	}
}

// A waker that dies after it published and before it woke: the sleeper finds out
// by itself, and that is counted.
func TestLostWakeIsRescued(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[uint64](t, 1))
		c := mustConsumer[uint64](t, s, parkAtOnce)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := c.Pop(background); err != nil {
				t.Error("Pop:", err)
			}
		}()
		until(t, "the consumer is parked", func() bool { return statsOf(s).Parks > 0 })
		atomic.StoreUint64(&s.Control().Tail, 1) // and the producer is no more
		awaitDone(t, "a consumer that nobody woke", done)

		p := mustProducer[uint64](t, s, parkAtOnce)
		wantErr(t, "TryPush", p.TryPush(1), nil)
		before := statsOf(s).Parks
		done = make(chan struct{})
		go func() {
			defer close(done)
			if err := p.Push(background, 2); err != nil {
				t.Error("Push:", err)
			}
		}()
		until(t, "the producer is parked", func() bool { return statsOf(s).Parks > before })
		atomic.StoreUint64(&s.Control().Head, 2)
		awaitDone(t, "a producer that nobody woke", done)
		// One that was just on its way to sleep needs no rescue, hence at most.
		if st := statsOf(s); st.Rescues == 0 || st.Rescues > 2 {
			t.Errorf("two lost wake-ups, and the statistics say %+v", st)
		}
	})
}

// Wait returns the end that something happened to.
func TestWaitFindsTheEnd(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		var ends []End
		var rings []*shm.Segment
		var producers []*Producer[uint64]
		for range 3 {
			s := b.segment(t, specOf[uint64](t, 1))
			rings = append(rings, s)
			producers = append(producers, mustProducer[uint64](t, s, nil))
			ends = append(ends, mustConsumer[uint64](t, s, nil))
		}
		full := b.segment(t, msgSpec(t, 64))
		mp, mc := mustMsgProducer(t, full, nil), mustMsgConsumer(t, full, nil)
		for mp.TryPush(nil) == nil {
		}
		ends, rings = append(ends, mp), append(rings, full)
		happen := []func(){
			func() { wantErr(t, "TryPush", producers[0].TryPush(1), nil) },
			func() { wantErr(t, "TryPush", producers[1].TryPush(1), nil) },
			func() { wantErr(t, "Shutdown", rings[2].Shutdown(), nil) },
			func() { wantErr(t, "TryPop", second(mc.TryPop(nil)), nil) },
		}
		for _, want := range []int{1, 3, 0, 2} {
			parks := statsOf(rings[want]).Parks
			got := make(chan int, 1)
			go func() {
				i, err := Wait(t.Context(), ends...)
				for err == nil && i != want { // it may be wrong, then again
					i, err = Wait(t.Context(), ends...)
				}
				got <- i
			}()
			until(t, "Wait is parked", func() bool { return statsOf(rings[want]).Parks > parks })
			happen[want]()
			finishes(t, "Wait", func() {
				if i := <-got; i != want {
					t.Errorf("Wait = %d, want %d", i, want)
				}
			})
			switch e := ends[want].(type) { // back to nothing to do
			case *Consumer[uint64]:
				e.TryPop()
			case *MsgProducer:
				for e.TryPush(nil) == nil {
				}
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan error, 1)
		idle := mustConsumer[uint64](t, b.segment(t, specOf[uint64](t, 1)), nil)
		go func() { _, err := Wait(ctx, idle); got <- err }()
		cancel(errStop)
		select {
		case err := <-got:
			wantErr(t, "a cancelled Wait", err, errStop)
		case <-time.After(hangLimit):
			t.Fatal("a cancelled Wait hangs")
		}
		if _, err := Wait(ctx); err == nil {
			t.Error("Wait for nothing succeeds")
		}
		if _, err := Wait(ctx, nil); err == nil {
			t.Error("Wait on a nil end succeeds")
		}
	})
}
