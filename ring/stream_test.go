package ring

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"ringway/internal/race"
	"ringway/shm"
)

// Twin generators: both sides draw the same lengths and contents from the same
// seed, so a stream of any length is checked without storing it. How each side makes
// its calls is drawn from a generator of its own.

// pair is an element that knows whether it is whole.
type pair struct{ N, Check uint64 }

func pairOf(n uint64) pair { return pair{n, (n + 1) * 0x9e3779b97f4a7c15} }

// often is how many units a stream has: of a million, fewer where each costs a
// kernel call or the race detector slows everything down.
func often(tiny bool) int {
	n := 1_000_000
	if tiny && !long() {
		n = 5_000
	}
	if race.Enabled {
		n /= 20
	}
	return n
}

const longestBatch = 100

func produce(p *Producer[pair], count int, calls *rand.Rand) error {
	ctx := context.Background()
	batch := make([]pair, longestBatch)
	for n := 0; n < count; {
		k := min(1+calls.IntN(longestBatch), count-n)
		var err error
		switch calls.IntN(4) {
		case 0:
			k, err = 1, p.Push(ctx, pairOf(uint64(n)))
		case 1, 2:
			for i := range k {
				batch[i] = pairOf(uint64(n + i))
			}
			if calls.IntN(2) == 0 {
				k, err = p.PushN(ctx, batch[:k])
			} else {
				k, err = p.TryPushN(batch[:k])
			}
		case 3:
			var slot *pair
			if slot, err = p.Reserve(); err != nil {
				k = 0
				break
			}
			if calls.IntN(4) == 0 {
				*slot = pair{}
				p.Abort()
				continue
			}
			*slot = pairOf(uint64(n))
			k, err = 1, p.Commit()
		}
		n += k
		if err == ErrFull {
			_, err = Wait(ctx, p)
		}
		if err != nil {
			return fmt.Errorf("push %d: %w", n, err)
		}
	}
	return nil
}

// consume takes count elements; count < 0: all until the ring is shut down.
func consume(c *Consumer[pair], count int, calls *rand.Rand) (n int, err error) {
	ctx := context.Background()
	dst := make([]pair, longestBatch)
	check := func(vs ...pair) {
		for _, v := range vs {
			if err == nil && v != pairOf(uint64(n)) {
				err = fmt.Errorf("element %d is %x, want %x", n, v, pairOf(uint64(n)))
			}
			n++
		}
	}
	for n != count && err == nil {
		k := 1 + calls.IntN(longestBatch)
		if count >= 0 {
			k = min(k, count-n)
		}
		var e error
		switch calls.IntN(5) {
		case 0:
			if dst[0], e = c.Pop(ctx); e == nil {
				check(dst[0])
			}
		case 1:
			k, e = c.PopN(ctx, dst[:k])
			check(dst[:k]...)
		case 2:
			k, e = c.TryPopN(dst[:k])
			check(dst[:k]...)
		case 3:
			var v *pair
			if v, e = c.Peek(); e == nil {
				check(*v)
				c.Release()
			}
		case 4:
			e = shm.ErrClosed
			for v, bad := range c.All(ctx) {
				e = bad
				check(v)
				if k--; k == 0 {
					break
				}
			}
		}
		if e == ErrEmpty {
			_, e = Wait(ctx, c)
		}
		if e != nil && err == nil {
			err = e
		}
	}
	return n, err
}

// length draws the length of a message: mostly short, now and then up to most.
func length(data *rand.Rand, most int) int {
	if data.IntN(16) == 0 {
		return data.IntN(most + 1)
	}
	return data.IntN(min(most, 64) + 1)
}

func produceMsgs(p *MsgProducer, count int, data, calls *rand.Rand) error {
	ctx := context.Background()
	scratch := make([]byte, p.MaxLen())
	for n := range count {
		msg := scratch[:length(data, p.MaxLen())]
		fill(msg, uint64(n))
		if calls.IntN(2) == 0 {
			if err := p.Push(ctx, msg); err != nil {
				return fmt.Errorf("push %d: %w", n, err)
			}
			continue
		}
		room := min(len(msg)+calls.IntN(20), p.MaxLen())
		b, err := p.Reserve(room)
		for err == ErrFull {
			if _, err = Wait(ctx, p); err == nil {
				b, err = p.Reserve(room)
			}
		}
		if err == nil {
			copy(b, msg)
			err = p.Commit(len(msg))
		}
		if err != nil {
			return fmt.Errorf("reserve for %d: %w", n, err)
		}
	}
	return nil
}

func consumeMsgs(c *MsgConsumer, count int, data, calls *rand.Rand) (n int, err error) {
	ctx := context.Background()
	want := make([]byte, 1<<20)
	most := int(c.max)
	var dst []byte
	check := func(m []byte) {
		w := want[:length(data, most)]
		fill(w, uint64(n))
		if !bytes.Equal(m, w) && err == nil {
			err = fmt.Errorf("message %d is %x, want %x", n, m, w)
		}
		n++
	}
	for n != count && err == nil {
		var e error
		switch calls.IntN(4) {
		case 0:
			if dst, e = c.Pop(ctx, dst[:0]); e == nil {
				check(dst)
			}
		case 1:
			if dst, e = c.TryPop(dst[:0]); e == nil {
				check(dst)
			}
		case 2:
			var m []byte
			if m, e = c.Peek(); e == nil {
				check(m)
				c.Release()
			}
		case 3:
			e = shm.ErrClosed
			for m, bad := range c.All(ctx) {
				e = bad
				check(m)
				if n == count || calls.IntN(100) == 0 {
					break
				}
			}
		}
		if e == ErrEmpty {
			_, e = Wait(ctx, c)
		}
		if e != nil && err == nil {
			err = e
		}
	}
	return n, err
}

func TestTypedStream(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		seed := seed(t)
		for i, slots := range []int{1, 2, 1024} {
			s := startAt(b.segment(t, specOf[pair](t, slots)), starts[2+i])
			p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
			count := often(slots < 1024) / 4 // on each bed
			done := make(chan error, 1)
			go func() { done <- produce(p, count, newRand(seed, 1)) }()
			finishes(t, "the stream", func() {
				if n, err := consume(c, count, newRand(seed, 2)); n != count || err != nil {
					t.Errorf("%d slots: took %d of %d: %v", slots, n, count, err)
				}
			})
			if err := <-done; err != nil {
				t.Error(err)
			}
			if st := p.Stats(); st.Len != 0 || st.Tail != starts[2+i]+uint64(count) || st.Rescues != 0 {
				t.Errorf("%d slots: at the end %+v", slots, st)
			}
		}
	})
}

func TestMsgStream(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		seed := seed(t)
		for i, capacity := range []int{64, 128, 64 << 10} {
			s := startAt(b.segment(t, msgSpec(t, capacity)), starts[2+i])
			p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
			count := often(capacity < 1024) / 4 // on each bed
			done := make(chan error, 1)
			go func() { done <- produceMsgs(p, count, newRand(seed, 0), newRand(seed, 1)) }()
			finishes(t, "the stream", func() {
				n, err := consumeMsgs(c, count, newRand(seed, 0), newRand(seed, 2))
				if n != count || err != nil {
					t.Errorf("%d bytes: took %d of %d: %v", capacity, n, count, err)
				}
			})
			if err := <-done; err != nil {
				t.Error(err)
			}
			if st := p.Stats(); st.Len != 0 || st.Rescues != 0 {
				t.Errorf("%d bytes: at the end %+v", capacity, st)
			}
		}
	})
}
