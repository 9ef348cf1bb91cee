package ring

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// blocksOf is an MPMC ring of uint64 with few seats.
func blocksOf(t testing.TB, slots, pack int) *shm.Segment {
	t.Helper()
	spec, err := Spec[uint64](layout.MPMC, slots)
	if err != nil {
		t.Fatal(err)
	}
	spec.Pack, spec.Seats = pack, 8
	return plainBed(t).segment(t, spec)
}

func mustPush(t testing.TB, p *Producer[uint64], vs ...uint64) {
	t.Helper()
	if n, err := p.TryPushN(vs); n != len(vs) || err != nil {
		t.Fatalf("TryPushN = %d, %v", n, err)
	}
}

func mustPop(t testing.TB, c *Consumer[uint64], want uint64, again bool) {
	t.Helper()
	if v, err := c.TryPop(); v != want || err != nil || c.Redelivered() != again {
		t.Fatalf("TryPop = %d, %v, redelivered %v; want %d, %v", v, err, c.Redelivered(), want, again)
	}
}

// An end that slept while others moved on by almost a lap of a large ring finds its way in few steps.
func TestIdleEndCatchesUp(t *testing.T) {
	const slots = 2 * maxHops
	s := blocksOf(t, slots, 1)
	p, idleP := mustProducer[uint64](t, s, nil), mustProducer[uint64](t, s, nil)
	c, idleC := mustConsumer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	for i := range uint64(slots - 2) {
		if err := p.TryPush(i); err != nil {
			t.Fatal(err)
		}
	}
	mustPush(t, idleP, slots-2)
	for i := range uint64(slots - 2) {
		if v, err := c.TryPop(); v != i || err != nil {
			t.Fatalf("TryPop = %d, %v, want %d", v, err, i)
		}
	}
	mustPop(t, idleC, slots-2, false)
}

// Corrupt is noticed by a producer whose ring never fills up.
func TestProducerNoticesCorrupt(t *testing.T) {
	s := blocksOf(t, 64, 1)
	p := mustProducer[uint64](t, s, nil)
	s.MarkCorrupt(layout.ReasonReported, 0)
	for range 3 {
		if err := p.TryPush(1); errors.Is(err, ErrCorrupt) {
			return
		}
	}
	t.Error("the producer goes on")
}

// Shutdown of a large ring ends it while producers and consumers are at full speed.
func TestShutdownWhileBusy(t *testing.T) {
	for _, slots := range []int{1, 64, 1 << 16} {
		s := blocksOf(t, slots, 1)
		var ends sync.WaitGroup
		var pushed, popped atomic.Uint64
		for range 2 {
			p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
			ends.Go(func() {
				for {
					switch err := p.TryPush(1); err {
					case nil:
						pushed.Add(1)
					case ErrFull:
						runtime.Gosched()
					case shm.ErrClosed:
						return
					default:
						t.Error(err)
						return
					}
				}
			})
			ends.Go(func() {
				for {
					if _, err := c.Pop(background); err == shm.ErrClosed {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
					popped.Add(1)
				}
			})
		}
		until(t, "traffic", func() bool { return popped.Load() > 1000 })
		finishes(t, "Shutdown", func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			ends.Wait()
		})
		if pushed.Load() != popped.Load() {
			t.Errorf("%d slots: %d pushed, %d popped", slots, pushed.Load(), popped.Load())
		}
	}
}

// A producer that never sees a full ring stops soon after the shutdown, whoever seals.
func TestShutdownStopsFastProducer(t *testing.T) {
	s := blocksOf(t, 1<<16, 1)
	p := mustProducer[uint64](t, s, nil)
	c := mustConsumer[uint64](t, s, nil)
	s.Control().State.Store(layout.StateShutdown) // its caller died here
	if _, err := c.TryPop(); err != ErrEmpty {
		t.Fatal(err)
	}
	wantErr(t, "TryPush behind the seal", p.TryPush(1), shm.ErrClosed)
	_, err := c.TryPop()
	wantErr(t, "TryPop behind the seal", err, shm.ErrClosed)
}

// What is left of a block in hand does not block.
func TestWaitSeesBlockInHand(t *testing.T) {
	s := blocksOf(t, 4, 8)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	mustPush(t, p, 1, 2, 3)
	mustPop(t, c, 1, false)
	ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
	defer cancel()
	if i, err := Wait(ctx, c); i != 0 || err != nil {
		t.Errorf("Wait = %d, %v", i, err)
	}
}

// A call in the loop body of All takes what comes next, as on an SPSC ring.
func TestAllNestedOnBlocks(t *testing.T) {
	for _, pack := range []int{1, 4} {
		s := blocksOf(t, 8, pack)
		p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
		mustPush(t, p, 0, 1, 2, 3, 4, 5, 6, 7)
		if err := s.Shutdown(); err != nil {
			t.Fatal(err)
		}
		next := uint64(0)
		for v, err := range c.All(t.Context()) {
			if v != next || err != nil {
				t.Fatalf("pack %d: All yields %d, %v, want %d", pack, v, err, next)
			}
			mustPop(t, c, next+1, false)
			next += 2
		}
		if next != 8 {
			t.Errorf("pack %d: All ended at %d", pack, next)
		}
	}
}

// A message that the loop body took itself is not released by All, nor what it peeked next.
func TestMsgAllNestedOnBlocks(t *testing.T) {
	spec, err := MsgSpec(layout.MPMC, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	s := plainBed(t).segment(t, spec)
	p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
	for i := range byte(3) {
		wantErr(t, "TryPush", p.TryPush([]byte{i}), nil)
	}
	for range c.All(t.Context()) {
		if b, err := c.TryPop(nil); err != nil || b[0] != 0 {
			t.Fatal(b, err)
		}
		if b, err := c.Peek(); err != nil || b[0] != 1 {
			t.Fatal(b, err)
		}
		break
	}
	if b, err := c.TryPop(nil); err != nil || b[0] != 1 {
		t.Errorf("TryPop = %v, %v: All released what the body had peeked", b, err)
	}
}

// A seal where no end is cannot make anybody spin.
func TestStraySeal(t *testing.T) {
	s := blocksOf(t, 8, 1)
	c := mustConsumer[uint64](t, s, nil)
	g := s.Header().Geometry
	layout.WordsAt(s.Memory(), &g)[5] |= uint64(g.SlotCodec().Seal())
	s.Control().State.Store(layout.StateShutdown)
	finishes(t, "Pop", func() {
		_, err := c.Pop(t.Context())
		wantIs(t, "Pop", err, ErrCorrupt)
	})
}
