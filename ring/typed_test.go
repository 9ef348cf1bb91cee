package ring

import (
	"context"
	"fmt"
	"testing"
	"unsafe"
)

// record24 has fields of several sizes, and padding.
type record24 struct {
	A uint64
	B uint16
	C [3]uint8
	D int32
	E uint16
}

// typed is a ring of T with both ends, and how many values went in and came out.
type typed[T comparable] struct {
	t       *testing.T
	p       *Producer[T]
	c       *Consumer[T]
	size    int
	in, out uint64
}

func newTyped[T comparable](t *testing.T, b bed, slots int, start uint64) *typed[T] {
	s := startAt(b.segment(t, specOf[T](t, slots)), start)
	return &typed[T]{t: t, p: mustProducer[T](t, s, nil), c: mustConsumer[T](t, s, nil), size: slots}
}

// next returns the next n values to push.
func (r *typed[T]) next(n int) []T {
	vs := make([]T, n)
	for i := range vs {
		vs[i] = value[T](r.in + uint64(i))
	}
	return vs
}

// got checks values that came out.
func (r *typed[T]) got(what string, vs ...T) {
	r.t.Helper()
	for _, v := range vs {
		if want := value[T](r.out); v != want {
			r.t.Fatalf("%s: value %d is %v, want %v", what, r.out, v, want)
		}
		r.out++
	}
}

// push and pop move n values one by one.
func (r *typed[T]) push(n int) {
	r.t.Helper()
	for range n {
		wantErr(r.t, "TryPush", r.p.TryPush(value[T](r.in)), nil)
		r.in++
	}
}

func (r *typed[T]) pop(n int) {
	r.t.Helper()
	for range n {
		v, err := r.c.TryPop()
		wantErr(r.t, "TryPop", err, nil)
		r.got("TryPop", v)
	}
}

// level checks the statistics of both ends against the counts.
func (r *typed[T]) level() {
	r.t.Helper()
	n := int(r.in - r.out)
	for _, st := range []Stats{r.p.Stats(), r.c.Stats()} {
		if st.Len != n || st.Cap != r.size || st.Tail-st.Head != uint64(n) {
			r.t.Fatalf("Stats = %+v, want Len %d, Cap %d", st, n, r.size)
		}
	}
}

func TestTypedCalls(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			for _, slots := range []int{1, 2, 8} {
				t.Run(fmt.Sprintf("%d slots at %d", slots, start), func(t *testing.T) {
					typedCalls[uint64](t, b, slots, start)
				})
			}
		}
		typedSize[[1]byte](t, b)
		typedSize[[2]byte](t, b)
		typedSize[[3]byte](t, b)
		typedSize[[7]byte](t, b)
		typedSize[record24](t, b)
		typedSize[[8]uint64](t, b)
		typedSize[[100]byte](t, b)
		typedSize[[256]byte](t, b)
		typedSize[[4096]byte](t, b)
		typedSize[[64]uint32](t, b)
	})
}

func typedSize[T comparable](t *testing.T, b bed) {
	var v T
	t.Run(fmt.Sprintf("%T of %d", v, unsafe.Sizeof(v)), func(t *testing.T) {
		typedCalls[T](t, b, 4, starts[1])
		typedCalls[T](t, b, 1, starts[4])
	})
}

// typedCalls makes every call at every fill level of a ring, often enough to cross
// the start positions' wraps.
func typedCalls[T comparable](t *testing.T, b bed, slots int, start uint64) {
	r := newTyped[T](t, b, slots, start)
	laps := 1 + 40/slots
	for lap := range laps {
		for have := range slots + 1 { // so many are in it
			r.level()
			r.push(have)
			r.level()
			r.tries(lap)
			r.pop(int(r.in - r.out))
		}
		r.batches(lap)
		r.inPlace()
	}
	if r.in < 24 {
		t.Fatalf("only %d values went through, the wrap was not crossed", r.in)
	}
	r.blockingCalls()
}

// tries makes the calls that are refused on an empty or a full ring.
func (r *typed[T]) tries(lap int) {
	t := r.t
	if r.in == r.out {
		_, err := r.c.TryPop()
		wantErr(t, "TryPop of an empty ring", err, ErrEmpty)
		_, err = r.c.Peek()
		wantErr(t, "Peek of an empty ring", err, ErrEmpty)
		n, err := r.c.TryPopN(make([]T, 3))
		if n != 0 || err != ErrEmpty {
			t.Fatalf("TryPopN of an empty ring = %d, %v", n, err)
		}
	}
	if r.in-r.out == uint64(r.size) {
		wantErr(t, "TryPush to a full ring", r.p.TryPush(value[T](0)), ErrFull)
		_, err := r.p.Reserve()
		wantErr(t, "Reserve in a full ring", err, ErrFull)
		n, err := r.p.TryPushN(r.next(1 + lap%3))
		if n != 0 || err != ErrFull {
			t.Fatalf("TryPushN to a full ring = %d, %v", n, err)
		}
	}
	for _, none := range [][]T{nil, {}} {
		if n, err := r.p.TryPushN(none); n != 0 || err != nil {
			t.Fatalf("TryPushN of nothing = %d, %v", n, err)
		}
		if n, err := r.c.TryPopN(none); n != 0 || err != nil {
			t.Fatalf("TryPopN into nothing = %d, %v", n, err)
		}
	}
}

// batches pushes and pops runs of every length from every offset: partial fits,
// runs across the end, more than the ring holds.
func (r *typed[T]) batches(lap int) {
	t := r.t
	for n := 1; n <= r.size+2; n++ {
		for have := range r.size + 1 {
			r.push(have)
			want := min(n, r.size-have)
			got, err := r.p.TryPushN(r.next(n))
			r.in += uint64(got)
			if got != want || err != nil && (want > 0 || err != ErrFull) || want == 0 && err == nil {
				t.Fatalf("TryPushN of %d with %d of %d there = %d, %v", n, have, r.size, got, err)
			}
			r.level()
			dst := make([]T, n)
			want = min(n, have+got)
			got, err = r.c.TryPopN(dst)
			if got != want || err != nil {
				t.Fatalf("TryPopN into %d with %d there = %d, %v", n, r.in-r.out, got, err)
			}
			r.got("TryPopN", dst[:got]...)
			for _, v := range dst[got:] {
				if v != *new(T) {
					t.Fatal("TryPopN wrote beyond what it returned")
				}
			}
			r.level()
			r.pop(int(r.in - r.out))
		}
		if n%3 == lap%3 {
			r.push(1) // an odd offset
			r.pop(1)
		}
	}
}

// inPlace reserves, commits, aborts, peeks and releases.
func (r *typed[T]) inPlace() {
	t := r.t
	for range r.size {
		slot, err := r.p.Reserve()
		wantErr(t, "Reserve", err, nil)
		*slot = value[T](^uint64(0))
		r.level() // a reservation is not visible
		_, err = r.c.TryPop()
		if r.in == r.out {
			wantErr(t, "TryPop beside a reservation", err, ErrEmpty)
		} else if err == nil {
			t.Fatal("the reservation was popped")
		}
		r.p.Abort()
		r.p.Abort() // does nothing
		slot, err = r.p.Reserve()
		wantErr(t, "Reserve after Abort", err, nil)
		*slot = value[T](r.in)
		wantErr(t, "Commit", r.p.Commit(), nil)
		r.in++
		first, err := r.c.Peek()
		wantErr(t, "Peek", err, nil)
		again, err := r.c.Peek()
		wantErr(t, "second Peek", err, nil)
		if first != again || *first != value[T](r.out) {
			t.Fatal("a second Peek gives something else")
		}
		r.level()
		r.c.Release()
		r.out++
		r.level()
	}
	r.push(r.size)
	for i := range r.size { // whatever takes a peeked value takes exactly it
		v, err := r.c.Peek()
		wantErr(t, "Peek", err, nil)
		switch i % 3 {
		case 0:
			r.pop(1)
		case 1:
			r.got("Peek", *v)
			r.c.Release()
		case 2:
			dst := make([]T, 1)
			if n, err := r.c.TryPopN(dst); n != 1 || err != nil {
				t.Fatalf("TryPopN after Peek = %d, %v", n, err)
			}
			r.got("TryPopN after Peek", dst...)
		}
		wantPanic(t, "Release of what was taken", r.c.Release)
	}
	r.level()
}

// blockingCalls makes the calls that wait where they need not; nil is a context.
func (r *typed[T]) blockingCalls() {
	t := r.t
	for _, ctx := range []context.Context{nil, t.Context()} {
		wantErr(t, "Push", r.p.Push(ctx, value[T](r.in)), nil)
		r.in++
		v, err := r.c.Pop(ctx)
		wantErr(t, "Pop", err, nil)
		r.got("Pop", v)
		n, err := r.p.PushN(ctx, r.next(r.size))
		r.in += uint64(n)
		if n != r.size || err != nil {
			t.Fatalf("PushN of %d = %d, %v", r.size, n, err)
		}
		dst := make([]T, r.size+1)
		n, err = r.c.PopN(ctx, dst)
		if n != r.size || err != nil {
			t.Fatalf("PopN = %d, %v", n, err)
		}
		r.got("PopN", dst[:n]...)
		if n, err := r.p.PushN(ctx, nil); n != 0 || err != nil {
			t.Fatalf("PushN of nothing = %d, %v", n, err)
		}
		if n, err := r.c.PopN(ctx, nil); n != 0 || err != nil {
			t.Fatalf("PopN into nothing = %d, %v", n, err)
		}
	}
}
