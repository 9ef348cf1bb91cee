package ring

import (
	"context"
	"fmt"
	"testing"

	"ringway/shm"
)

// exchanged is one producer and one consumer on an MPMC ring and what is in it, message by message.
type exchanged struct {
	t     *testing.T
	p     *Producer[pair]
	c     *Consumer[pair]
	slots int
	pack  int
	in    uint64 // next to push
	out   uint64 // next to pop
	sizes []int  // of the blocks in the ring; the first may be begun
}

func newExchanged(t *testing.T, b bed, slots, pack int, start uint64) *exchanged {
	s := exchangeSegment(t, b, exchangeSpec[pair](t, slots, pack), start)
	return &exchanged{t: t, p: mustProducer[pair](t, s, nil), c: mustConsumer[pair](t, s, nil), slots: slots, pack: pack}
}

func (x *exchanged) next(n int) (vs []pair) {
	for i := range uint64(n) {
		vs = append(vs, pairOf(x.in+i))
	}
	return vs
}

func (x *exchanged) sent(n int) {
	for x.in += uint64(n); n > 0; n -= x.pack {
		x.sizes = append(x.sizes, min(n, x.pack))
	}
}

func (x *exchanged) got(what string, vs ...pair) {
	x.t.Helper()
	for _, v := range vs {
		if v != pairOf(x.out) {
			x.t.Fatalf("%s: got %x, want number %d", what, v, x.out)
		}
		x.out++
		if x.sizes[0]--; x.sizes[0] == 0 {
			x.sizes = x.sizes[1:]
		}
	}
	if x.c.Redelivered() {
		x.t.Fatalf("%s: number %d is called redelivered", what, x.out-1)
	}
}

// level checks the statistics and, at its ends, that the ring refuses.
func (x *exchanged) level(begun bool) {
	x.t.Helper()
	have := len(x.sizes)
	if begun {
		have-- // its slot is free already
	}
	if st := x.p.Stats(); st.Len != have || st.Cap != x.slots || int(st.Tail-st.Head) != have {
		x.t.Fatalf("%d blocks are in the ring, the statistics say %+v", have, st)
	}
	if have == x.slots {
		wantErr(x.t, "TryPush to a full ring", x.p.TryPush(pair{}), ErrFull)
		n, err := x.p.TryPushN(make([]pair, 3))
		if n != 0 || err != ErrFull {
			x.t.Fatalf("TryPushN to a full ring = %d, %v", n, err)
		}
		v, err := x.p.Reserve() // never full
		wantErr(x.t, "Reserve on a full ring", err, nil)
		*v = pair{1, 2}
		wantErr(x.t, "Commit to a full ring", x.p.Commit(), ErrFull)
		if *v != (pair{1, 2}) {
			x.t.Fatal("ErrFull took the reservation's content")
		}
		wantPanic(x.t, "TryPush beside the reservation that ErrFull left", func() { x.p.TryPush(pair{}) })
		wantErr(x.t, "Commit again", x.p.Commit(), ErrFull)
		x.p.Abort()
	}
	if len(x.sizes) == 0 {
		wantErr(x.t, "TryPop of an empty ring", second(x.c.TryPop()), ErrEmpty)
		wantErr(x.t, "Peek of an empty ring", second(x.c.Peek()), ErrEmpty)
		wantErr(x.t, "TryPopN of an empty ring", second(x.c.TryPopN(make([]pair, 2))), ErrEmpty)
	}
}

// push sends one message in one of the ways.
func (x *exchanged) push(way uint64) {
	x.t.Helper()
	v := pairOf(x.in)
	switch way % 4 {
	case 0:
		wantErr(x.t, "TryPush", x.p.TryPush(v), nil)
	case 1:
		wantErr(x.t, "Push", x.p.Push(x.t.Context(), v), nil)
	case 2:
		n := 1 + int(way)%x.pack
		k, err := x.p.TryPushN(x.next(n))
		if k != n || err != nil {
			x.t.Fatalf("TryPushN of %d = %d, %v", n, k, err)
		}
		x.sent(n)
		return
	case 3:
		slot, err := x.p.Reserve()
		wantErr(x.t, "Reserve", err, nil)
		*slot = pair{}
		x.p.Abort()
		slot, err = x.p.Reserve()
		wantErr(x.t, "Reserve", err, nil)
		*slot = v
		wantErr(x.t, "Commit", x.p.Commit(), nil)
	}
	x.sent(1)
}

// pop takes one message in one of the ways.
func (x *exchanged) pop(way uint64) {
	x.t.Helper()
	switch way % 5 {
	case 0:
		v, err := x.c.TryPop()
		wantErr(x.t, "TryPop", err, nil)
		x.got("TryPop", v)
	case 1:
		v, err := x.c.Pop(x.t.Context())
		wantErr(x.t, "Pop", err, nil)
		x.got("Pop", v)
	case 2:
		dst := make([]pair, 1+way%9)
		want := min(len(dst), int(x.in-x.out))
		n, err := x.c.TryPopN(dst)
		if n != want || err != nil {
			x.t.Fatalf("TryPopN of %d with %d there = %d, %v", len(dst), x.in-x.out, n, err)
		}
		x.got("TryPopN", dst[:n]...)
	case 3:
		for range 2 {
			v, err := x.c.Peek()
			wantErr(x.t, "Peek", err, nil)
			if *v != pairOf(x.out) {
				x.t.Fatalf("Peek shows %x, want number %d", *v, x.out)
			}
		}
		if way%2 == 0 {
			v, err := x.c.TryPop() // takes and releases what was peeked
			wantErr(x.t, "TryPop after Peek", err, nil)
			x.got("TryPop after Peek", v)
			wantPanic(x.t, "Release without Peek", x.c.Release)
			return
		}
		x.c.Release()
		x.got("Peek", pairOf(x.out))
	case 4:
		for v, err := range x.c.All(x.t.Context()) {
			wantErr(x.t, "All", err, nil)
			x.got("All", v)
			break
		}
	}
}

func TestExchangeCalls(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, slots := range []int{1, 2, 4, 64} {
			for _, pack := range []int{1, 8} {
				for _, start := range exchangeStarts(exchangeSpec[pair](t, slots, pack)) {
					t.Run(fmt.Sprintf("%dx%d from %#x", slots, pack, start), func(t *testing.T) {
						newExchanged(t, b, slots, pack, start).calls()
					})
				}
			}
		}
	})
}

func (x *exchanged) calls() {
	way := uint64(0)
	for lap := range 1 + 60/x.slots {
		for have := 1 + lap%x.slots; have <= x.slots; have += 1 + x.slots/4 {
			for len(x.sizes) < have {
				x.level(false)
				x.push(way)
				way++
			}
			x.level(false)
			for x.in != x.out {
				x.pop(way / 3)
				way++
			}
			x.level(false)
		}
		for len(x.sizes) < x.slots { // to the brim, the other way round
			x.push(way)
			way += 3
		}
		x.level(false)
		for x.in != x.out {
			x.pop(way)
			way++
		}
	}
	// Batches: cut to blocks, as many as fit, at once.
	vs := x.next(x.slots*x.pack + 5)
	n, err := x.p.TryPushN(vs)
	if n != x.slots*x.pack || err != nil {
		x.t.Fatalf("TryPushN of %d = %d, %v, want as many as %d blocks of %d hold", len(vs), n, err, x.slots, x.pack)
	}
	x.sent(n)
	x.level(false)
	dst := make([]pair, len(vs))
	if x.pack > 1 { // an element frees the slot of its whole block
		v, err := x.c.TryPop()
		wantErr(x.t, "TryPop", err, nil)
		x.got("TryPop", v)
		x.level(true)
	}
	for x.in != x.out {
		n, err := x.c.PopN(x.t.Context(), dst)
		wantErr(x.t, "PopN", err, nil)
		x.got("PopN", dst[:n]...)
	}
	x.level(false)
	wantErr(x.t, "TryPushN of nothing", second(x.p.TryPushN(nil)), nil)
	wantErr(x.t, "TryPopN into nothing", second(x.c.TryPopN(nil)), nil)
	x.blocking()
}

// blocking pushes far more than the ring holds while somebody pops.
func (x *exchanged) blocking() {
	const total = 500
	done := make(chan error, 1)
	vs := x.next(total)
	go func() {
		n, err := x.p.PushN(context.Background(), vs)
		if n != total && err == nil {
			err = ErrFull
		}
		done <- err
	}()
	finishes(x.t, "a blocked stream", func() {
		dst := make([]pair, 13)
		for n := 0; n < total; {
			k, err := x.c.PopN(background, dst)
			wantErr(x.t, "PopN", err, nil)
			for _, v := range dst[:k] {
				if v != pairOf(x.out) {
					x.t.Fatalf("PopN: got %x, want number %d", v, x.out)
				}
				x.out++
			}
			n += k
		}
	})
	wantErr(x.t, "PushN", <-done, nil)
	x.in += total
	x.level(false)
	wantErr(x.t, "Shutdown", x.c.segment.Shutdown(), nil)
	wantErr(x.t, "TryPush at the end", x.p.TryPush(pair{}), shm.ErrClosed)
	for try := 0; ; try++ {
		if err := second(x.c.TryPop()); err != ErrEmpty || try > 2 {
			wantErr(x.t, "TryPop at the end", err, shm.ErrClosed)
			break
		}
	}
	wantErr(x.t, "Close", x.p.Close(), nil)
	wantErr(x.t, "Close", x.p.Close(), nil)
	wantErr(x.t, "Close", x.c.Close(), nil)
	wantErr(x.t, "Close", x.c.Close(), nil)
	wantErr(x.t, "TryPop after Close", second(x.c.TryPop()), shm.ErrClosed)
	wantErr(x.t, "TryPush after Close", x.p.TryPush(pair{}), shm.ErrClosed)
	wantErr(x.t, "Reserve after Close", second(x.p.Reserve()), shm.ErrClosed)
}
