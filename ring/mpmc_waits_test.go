package ring

import (
	"context"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

func TestExchangeContextsAndWait(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		full, empty := exchangeSegment(t, b, exchangeSpec[pair](t, 1, 1), 0), exchangeSegment(t, b, exchangeMsgSpec(t, 1, 8), 0)
		p, c := mustProducer[pair](t, full, parkAtOnce), mustConsumer[pair](t, full, nil)
		mp, mc := mustMsgProducer(t, empty, nil), mustMsgConsumer(t, empty, parkAtOnce)
		wantErr(t, "TryPush", p.TryPush(pairOf(0)), nil)
		for n := range 200 {
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				pauseUpTo(newRand(uint64(n), 0), 2000)
				cancel(errStop)
			}()
			var err error
			switch n % 6 {
			case 0:
				err = p.Push(ctx, pairOf(1))
			case 1:
				var k int
				if k, err = p.PushN(ctx, []pair{pairOf(1)}); k != 0 {
					t.Fatalf("PushN to a full ring pushed %d", k)
				}
			case 2:
				err = second(mc.Pop(ctx, nil))
			case 3:
				for _, bad := range mc.All(ctx) {
					err = bad
				}
			case 4:
				err = second(Wait(ctx, p))
			case 5:
				err = second(Wait(ctx, mc, p))
			}
			wantErr(t, "a cancelled call", err, errStop)
		}
		for n := range 200 { // Wait finds whichever end is ready
			want := n % 2
			helped := make(chan struct{})
			go func() {
				defer close(helped)
				if want == 0 {
					c.TryPop()
				} else {
					mp.TryPush([]byte{byte(n)})
				}
			}()
			finishes(t, "Wait", func() {
				i, err := Wait(t.Context(), p, mc)
				for err == nil && i != want { // spurious
					i, err = Wait(t.Context(), p, mc)
				}
				wantErr(t, "Wait", err, nil)
				<-helped
			})
			if want == 0 {
				wantErr(t, "TryPush after Wait", p.TryPush(pairOf(uint64(n))), nil)
			} else if m, err := mc.TryPop(nil); err != nil || m[0] != byte(n) {
				t.Fatal("TryPop after Wait:", m, err)
			}
		}
		wantErr(t, "Shutdown", full.Shutdown(), nil)
		if i, err := Wait(t.Context(), mc, p); i != 1 || err != nil {
			t.Errorf("Wait beside the end of a ring = %d, %v", i, err)
		}
	})
}

func TestExchangeCallsDoNotAllocate(t *testing.T) {
	needAllocCounts(t)
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, pack := range []int{1, 8} {
			s := exchangeSegment(t, b, exchangeSpec[record24](t, 8, pack), 0)
			p, c := mustProducer[record24](t, s, nil), mustConsumer[record24](t, s, nil)
			ms := exchangeSegment(t, b, exchangeMsgSpec(t, 8, 100), 0)
			mp, mc := mustMsgProducer(t, ms, nil), mustMsgConsumer(t, ms, nil)
			ctx := context.Background()
			batch, dst := make([]record24, 5), make([]record24, 5)
			msg, buf := make([]byte, 100), make([]byte, 0, 100)
			noAllocs(t, "TryPush and TryPop", func() { must2(t, p.TryPush(batch[0])); must2(t, second(c.TryPop())) })
			noAllocs(t, "Push and Pop", func() { must2(t, p.Push(ctx, batch[0])); must2(t, second(c.Pop(ctx))) })
			noAllocs(t, "PushN and PopN", func() { must2(t, second(p.PushN(ctx, batch))); must2(t, second(c.PopN(ctx, dst))) })
			noAllocs(t, "Reserve, Commit, Peek, Release", func() {
				must2(t, second(p.Reserve()))
				p.Abort()
				must2(t, second(p.Reserve()))
				must2(t, p.Commit())
				must2(t, second(c.Peek()))
				c.Release()
			})
			noAllocs(t, "messages", func() {
				must2(t, mp.TryPush(msg))
				must2(t, second(mc.TryPop(buf)))
				must2(t, second(mp.Reserve(50)))
				must2(t, mp.Commit(40))
				must2(t, second(mc.Peek()))
				mc.Release()
			})
			for second(c.TryPop()) == nil {
			}
			noAllocs(t, "an empty ring", func() {
				if second(c.TryPop()) != ErrEmpty || second(mc.Peek()) != ErrEmpty {
					t.Fatal("not empty")
				}
			})
			for p.TryPush(batch[0]) == nil {
			}
			noAllocs(t, "a full ring", func() {
				if p.TryPush(batch[0]) != ErrFull || second(p.TryPushN(batch)) != ErrFull {
					t.Fatal("not full")
				}
			})
			noAllocs(t, "Stats, and Wait that need not", func() { p.Stats(); must2(t, second(Wait(ctx, c))) })
		}
	})
}

func must2(t *testing.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// deadSeats counts seats whose owner is gone and that nobody has settled.
func deadSeats(t *testing.T, s *shm.Segment) (n int) {
	t.Helper()
	for i, seats := 0, layout.SeatsAt(s.Memory(), s.Spec().Seats); i < len(seats); i++ {
		alive, err := s.Alive(i)
		wantErr(t, "Alive", err, nil)
		if seats[i].State.Load() == layout.SeatTaken && !alive {
			n++
		}
	}
	return n
}
