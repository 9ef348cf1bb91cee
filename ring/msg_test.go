package ring

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"ringway/layout"
)

// msgRing is a ring of messages with both ends; the nth message has content n.
type msgRing struct {
	t       *testing.T
	p       *MsgProducer
	c       *MsgConsumer
	lengths []int // of what is in it
	in, out uint64
}

func newMsgRing(t *testing.T, b bed, capacity int, start uint64) *msgRing {
	s := startAt(b.segment(t, msgSpec(t, capacity)), start)
	return &msgRing{t: t, p: mustMsgProducer(t, s, nil), c: mustMsgConsumer(t, s, nil)}
}

func content(n uint64, length int) []byte {
	b := make([]byte, length)
	fill(b, n)
	return b
}

// put pushes the next message, by TryPush or in place, and reports whether it fit.
func (r *msgRing) put(length int, inPlace bool) bool {
	r.t.Helper()
	var err error
	if inPlace {
		var b []byte
		if b, err = r.p.Reserve(min(length+5, r.p.MaxLen())); err == nil { // commits less than reserved
			if len(b) != cap(b) {
				r.t.Fatal("a reservation can be grown")
			}
			fill(b[:length], r.in)
			err = r.p.Commit(length)
		}
	} else {
		err = r.p.TryPush(content(r.in, length))
	}
	if err == ErrFull {
		return false
	}
	wantErr(r.t, fmt.Sprintf("push of %d bytes", length), err, nil)
	r.lengths = append(r.lengths, length)
	r.in++
	return true
}

// take takes the oldest message by one of the ways there are.
func (r *msgRing) take(way int) {
	t := r.t
	t.Helper()
	var m []byte
	var err error
	if way == 0 {
		m, err = r.c.TryPop([]byte("before"))
		if !bytes.HasPrefix(m, []byte("before")) {
			t.Fatal("TryPop does not append")
		}
		m = m[6:]
	} else {
		m, err = r.c.Peek()
		wantErr(t, "Peek", err, nil)
		again, err := r.c.Peek()
		wantErr(t, "second Peek", err, nil)
		if len(m) != len(again) || len(m) > 0 && &m[0] != &again[0] || len(m) != cap(m) {
			t.Fatal("a second Peek gives something else, or more")
		}
		if way == 2 {
			m, err = r.c.TryPop(nil)
			wantErr(t, "TryPop after Peek", err, nil)
		}
	}
	wantErr(t, "TryPop", err, nil)
	if want := content(r.out, r.lengths[0]); !bytes.Equal(m, want) {
		t.Fatalf("message %d is %x, want %x", r.out, m, want)
	}
	if way == 1 {
		r.c.Release()
	}
	wantPanic(t, "Release of what was taken", r.c.Release)
	r.lengths = r.lengths[1:]
	r.out++
}

func (r *msgRing) empty(what string) {
	r.t.Helper()
	dst := []byte("x")
	b, err := r.c.TryPop(dst)
	wantErr(r.t, "TryPop of "+what, err, ErrEmpty)
	if string(b) != "x" {
		r.t.Fatalf("TryPop of %s returned %q instead of dst", what, b)
	}
	_, err = r.c.Peek()
	wantErr(r.t, "Peek of "+what, err, ErrEmpty)
	if st := r.p.Stats(); st.Len != 0 {
		r.t.Fatalf("Stats of %s: %+v", what, st)
	}
}

// Every length at every offset in rings of several sizes, from every start.
func TestMsgLengthsAndOffsets(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			for _, capacity := range []int{64, 128, 256} {
				r := newMsgRing(t, b, capacity, start)
				r.empty("a fresh ring")
				if got := r.p.MaxLen(); got != capacity/2-8 {
					t.Fatalf("MaxLen of %d bytes is %d", capacity, got)
				}
				for length := range r.p.MaxLen() + 1 {
					for step := 0; step < capacity; step += 8 {
						if !r.put(length, step%16 == 0) {
							t.Fatalf("%d bytes do not fit into an empty ring of %d at %d", length, capacity, r.p.tail)
						}
						r.take(step / 8 % 3)
						if !r.put(0, false) { // on to the next offset
							t.Fatal("an empty message does not fit")
						}
						r.take(0)
					}
				}
				r.empty("a drained ring")
			}
		}
	})
}

// Fill to the brim with every length, drain in order.
func TestMsgBackpressure(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			r := newMsgRing(t, b, 256, start)
			for length := range r.p.MaxLen() + 1 {
				for way := range 3 {
					n := 0
					for r.put(length, way == 1) {
						n++
					}
					room := length
					if way == 1 {
						room = min(length+5, r.p.MaxLen()) // what put reserves
					}
					size := int(layout.RecordSize(uint64(room)))
					if n < max(1, (256-size+8)/size) {
						t.Fatalf("only %d messages of %d bytes fit into 256", n, length)
					}
					if _, err := r.p.Reserve(room); err != ErrFull {
						t.Fatalf("Reserve in a full ring = %v", err)
					}
					r.take(way) // room for one more, or for none behind the end
					r.put(length, way == 2)
					for len(r.lengths) > 0 {
						r.take(way)
					}
					r.empty("a drained ring")
				}
			}
		}
	})
}

func TestMsgTooLarge(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		r := newMsgRing(t, b, 64, 0)
		big := make([]byte, 25)
		for what, err := range map[string]error{
			"TryPush": r.p.TryPush(big),
			"Push":    r.p.Push(t.Context(), big),
			"Reserve": second(r.p.Reserve(25)),
			"huge":    second(r.p.Reserve(1 << 60)),
		} {
			if !isOneLine(err, ErrTooLarge) || !strings.Contains(err.Error(), "24") {
				t.Errorf("%s of too much = %v, want one line that matches ErrTooLarge and names the limit", what, err)
			}
		}
		if !r.put(24, false) {
			t.Error("the longest message does not fit after the refusals")
		}
		r.take(0)
		spec, err := MsgSpec(layout.SPSC, 4096, 100)
		if err != nil {
			t.Fatal(err)
		}
		p := mustMsgProducer(t, b.segment(t, spec), nil)
		if p.MaxLen() != 100 {
			t.Errorf("MaxLen = %d, the spec says 100", p.MaxLen())
		}
		wantErr(t, "TryPush of 100", p.TryPush(make([]byte, 100)), nil)
		wantIs(t, "TryPush of 101", p.TryPush(make([]byte, 101)), ErrTooLarge)
	})
}

// Abort leaves nothing, a reservation is invisible, and blocking calls that need
// not wait do not.
func TestMsgReserveAndBlocking(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			r := newMsgRing(t, b, 64, start)
			for i := range 40 {
				length := i % 25
				slot, err := r.p.Reserve(length)
				wantErr(t, "Reserve", err, nil)
				fill(slot, 99)
				r.empty("a ring with a reservation")
				r.p.Abort()
				r.p.Abort()
				r.empty("a ring with an aborted reservation")
				if !r.put(length, i%2 == 0) {
					t.Fatal("no room after Abort")
				}
				r.take(i % 3)
			}
			for _, ctx := range []context.Context{nil, t.Context()} {
				wantErr(t, "Push", r.p.Push(ctx, []byte("a")), nil)
				m, err := r.c.Pop(ctx, nil)
				if string(m) != "a" || err != nil {
					t.Fatalf("Pop = %q, %v", m, err)
				}
			}
		}
	})
}

// Raw ends move the elements of a ring of any type as bytes, side by side with
// typed ends.
func TestRawEnds(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		rawElement[[1]byte](t, b)
		rawElement[[3]byte](t, b)
		rawElement[record24](t, b)
		rawElement[[100]byte](t, b)
		rawElement[uint64](t, b)
	})
}

func rawElement[T comparable](t *testing.T, b bed) {
	for _, start := range starts {
		spec := specOf[T](t, 4)
		size := int(spec.Elem.Size)
		s := startAt(b.segment(t, spec), start)
		p := seated(t, func() (*MsgProducer, error) { return NewRawProducer(s, nil) })
		c := mustConsumer[T](t, s, nil)
		if p.MaxLen() != size {
			t.Fatalf("MaxLen of %d bytes is %d", size, p.MaxLen())
		}
		wantIs(t, "a raw push of too little", p.TryPush(make([]byte, size-1)), ErrTooLarge)
		wantIs(t, "a raw push of too much", p.TryPush(make([]byte, size+1)), ErrTooLarge)
		for n := range uint64(50) {
			if n%2 == 0 {
				wantErr(t, "raw TryPush", p.TryPush(content(n, size)), nil)
			} else {
				slot, err := p.Reserve(size)
				wantErr(t, "raw Reserve", err, nil)
				fill(slot, n)
				wantPanic(t, "raw Commit of a part", func() { p.Commit(size - 1) })
				wantErr(t, "raw Commit", p.Commit(size), nil)
			}
			v, err := c.TryPop()
			if v != value[T](n) || err != nil {
				t.Fatalf("element %d of a raw producer is %v, %v", n, v, err)
			}
		}
		wantErr(t, "Close", p.Close(), nil)
		wantErr(t, "Close", c.Close(), nil)
		typed := mustProducer[T](t, s, nil)
		raw := seated(t, func() (*MsgConsumer, error) { return NewRawConsumer(s, nil) })
		for n := range uint64(4) {
			wantErr(t, "TryPush", typed.TryPush(value[T](n)), nil)
		}
		wantErr(t, "TryPush", typed.TryPush(value[T](4)), ErrFull)
		for n := range uint64(4) {
			m, err := raw.Peek()
			wantErr(t, "raw Peek", err, nil)
			// Through T: a copy of a struct need not copy what lies between its fields.
			if got, err := raw.TryPop(nil); len(m) != size || err != nil || fromBytes[T](got) != value[T](n) {
				t.Fatalf("raw element %d is %x, %v", n, got, err)
			}
		}
		_, err := raw.TryPop(nil)
		wantErr(t, "raw TryPop of an empty ring", err, ErrEmpty)
		wantErr(t, "Close", typed.Close(), nil)
		wantErr(t, "Close", raw.Close(), nil)
	}
}
