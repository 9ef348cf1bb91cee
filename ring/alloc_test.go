package ring

import (
	"context"
	"runtime"
	"testing"

	"ringway/internal/race"
)

func noAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func needAllocCounts(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates on its own")
	}
}

func TestTypedCallsDoNotAllocate(t *testing.T) {
	needAllocCounts(t)
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[record24](t, 8))
		p, c := mustProducer[record24](t, s, nil), mustConsumer[record24](t, s, nil)
		ctx := context.Background()
		batch, dst := make([]record24, 5), make([]record24, 5)
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		noAllocs(t, "TryPush and TryPop", func() { must(p.TryPush(batch[0])); must(second(c.TryPop())) })
		noAllocs(t, "Push and Pop", func() { must(p.Push(ctx, batch[0])); must(second(c.Pop(ctx))) })
		noAllocs(t, "TryPushN and TryPopN", func() { must(second(p.TryPushN(batch))); must(second(c.TryPopN(dst))) })
		noAllocs(t, "PushN and PopN", func() { must(second(p.PushN(ctx, batch))); must(second(c.PopN(ctx, dst))) })
		noAllocs(t, "Reserve, Commit, Peek, Release", func() {
			must(second(p.Reserve()))
			p.Abort()
			must(second(p.Reserve()))
			must(p.Commit())
			must(second(c.Peek()))
			c.Release()
		})
		noAllocs(t, "an empty ring", func() {
			_, e1 := c.TryPop()
			_, e2 := c.Peek()
			_, e3 := c.TryPopN(dst)
			if e1 != ErrEmpty || e2 != ErrEmpty || e3 != ErrEmpty {
				t.Fatal(e1, e2, e3)
			}
		})
		for p.TryPush(batch[0]) == nil {
		}
		noAllocs(t, "a full ring", func() {
			e1 := p.TryPush(batch[0])
			_, e2 := p.Reserve()
			_, e3 := p.TryPushN(batch)
			if e1 != ErrFull || e2 != ErrFull || e3 != ErrFull {
				t.Fatal(e1, e2, e3)
			}
		})
		noAllocs(t, "Stats", func() { p.Stats() })
		noAllocs(t, "Wait that need not", func() { must(second(Wait(ctx, c))) })
	})
}

func TestMsgCallsDoNotAllocate(t *testing.T) {
	needAllocCounts(t)
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, msgSpec(t, 256))
		p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
		ctx := context.Background()
		msg, dst := make([]byte, 100), make([]byte, 0, 100)
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		noAllocs(t, "TryPush and TryPop", func() { must(p.TryPush(msg)); must(second(c.TryPop(dst))) })
		noAllocs(t, "Push and Pop", func() { must(p.Push(ctx, msg)); must(second(c.Pop(ctx, dst))) })
		noAllocs(t, "Reserve, Commit, Peek, Release", func() {
			must(second(p.Reserve(50)))
			p.Abort()
			must(second(p.Reserve(77)))
			must(p.Commit(70))
			must(second(c.Peek()))
			c.Release()
		})
		noAllocs(t, "an empty ring", func() {
			_, e1 := c.TryPop(dst)
			_, e2 := c.Peek()
			if e1 != ErrEmpty || e2 != ErrEmpty {
				t.Fatal(e1, e2)
			}
		})
		for p.TryPush(msg) == nil {
		}
		noAllocs(t, "a full ring", func() {
			e1 := p.TryPush(msg)
			_, e2 := p.Reserve(100)
			if e1 != ErrFull || e2 != ErrFull {
				t.Fatal(e1, e2)
			}
		})
	})
}

// Calls that really sleep, on both sides, with a context that cannot be cancelled.
func TestParkingDoesNotAllocate(t *testing.T) {
	needAllocCounts(t)
	onBeds(t, func(t *testing.T, b bed) {
		there, back := b.segment(t, specOf[uint64](t, 1)), b.segment(t, specOf[uint64](t, 1))
		p1, c1 := mustProducer[uint64](t, there, parkAtOnce), mustConsumer[uint64](t, there, parkAtOnce)
		p2, c2 := mustProducer[uint64](t, back, parkAtOnce), mustConsumer[uint64](t, back, parkAtOnce)
		done := make(chan error, 1)
		go func() { done <- answer(p2, c1, 1<<62) }()
		noAllocs(t, "a volley of Push and Pop that park", func() {
			if err := volley(p1, c2, 10); err != nil {
				t.Fatal(err)
			}
		})
		if st := statsOf(back); st.Parks < 100 {
			t.Errorf("hardly anybody parked: %+v", st)
		}
		wantErr(t, "Shutdown", there.Shutdown(), nil)
		<-done

		s := b.segment(t, specOf[uint64](t, 1))
		p, c := mustProducer[uint64](t, s, parkAtOnce), mustConsumer[uint64](t, s, parkAtOnce)
		parks := &p.seat.Line.Parks // the producer's alone
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for seen := uint64(0); ; { // pops one for each time the producer slept
				now := parks.Load()
				if now == seen {
					if c.control.State.Load() != 1 {
						return
					}
					runtime.Gosched()
					continue
				}
				seen = now
				c.TryPop()
			}
		}()
		wantErr(t, "TryPush", p.TryPush(0), nil)
		noAllocs(t, "a Push that parks", func() {
			if err := p.Push(background, 1); err != nil {
				t.Fatal(err)
			}
		})
		if parks.Load() < 200 {
			t.Errorf("the producer parked %d times in 200 pushes to a full ring", parks.Load())
		}
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		<-stop
	})
}
