package ring

import (
	"fmt"
	"testing"
	"unsafe"

	"ringway/layout"
)

// Elements of every size that is copied in a way of its own, and of every alignment, come out of
// both kinds of rings as they went in and leave their neighbours alone.
func TestElementSizes(t *testing.T) {
	needSegments(t)
	sized[int8](t)
	sized[[1]byte](t)
	sized[uint16](t)
	sized[[3]byte](t)
	sized[int32](t)
	sized[[5]byte](t)
	sized[[3]uint16](t)
	sized[[7]byte](t)
	sized[[8]byte](t)
	sized[[2]uint32](t)
	sized[struct {
		A uint32
		B uint16
		C uint8
	}](t)
	sized[[9]byte](t)
	sized[[3]uint32](t)
	sized[[16]byte](t)
	sized[[4]int32](t)
	sized[[2]int64](t)
	sized[[24]byte](t)
	sized[[6]uint32](t)
	sized[[32]byte](t)
	sized[[33]byte](t)
	sized[[40]byte](t)
	sized[[10]uint32](t)
	sized[[5]uint64](t)
	sized[[24]uint16](t)
	sized[[7]uint64](t)
	sized[[64]byte](t)
	sized[[16]uint32](t)
	sized[[72]byte](t)
	sized[[9]uint64](t)
	sized[[100]byte](t)
}

func sized[T comparable](t *testing.T) {
	var zero T
	for _, heap := range []bool{true, false} {
		for _, pack := range []int{0, 1, 3} {
			spec := specOf[T](t, 64)
			if pack != 0 {
				spec = exchangeSpec[T](t, 64, pack)
			}
			name := fmt.Sprintf("%T of %d bytes, pack %d, heap %v", zero, unsafe.Sizeof(zero), pack, heap)
			t.Run(name, func(t *testing.T) {
				b := plainBed(t)
				b.heap = heap
				if pack != 0 {
					b.fence = layout.Full
				}
				s := b.segment(t, spec)
				sizedRing(t, mustProducer[T](t, s, nil), mustConsumer[T](t, s, nil))
			})
		}
	}
}

// sizedRing fills a ring of 64 elements, exchanges the oldest for a new one, whose neighbour is then the oldest,
// and drains it, in all ways by turns.
func sizedRing[T comparable](t *testing.T, p *Producer[T], c *Consumer[T]) {
	const slots = 64
	in, out := uint64(0), uint64(0)
	// As odd a place as the type allows: what is pushed begins where no word does.
	var from struct {
		_ byte
		v T
		_ [3]byte
		w T
	}
	push := func() {
		from.v = value[T](in)
		from.w = from.v
		switch in % 3 {
		case 0:
			wantErr(t, "TryPush", p.TryPush(from.v), nil)
		case 1:
			wantErr(t, "Push", p.Push(background, from.w), nil)
		case 2:
			to, err := p.Reserve()
			wantErr(t, "Reserve", err, nil)
			*to = from.w
			wantErr(t, "Commit", p.Commit(), nil)
		}
		in++
	}
	var to struct {
		before byte
		v      T
		after  [9]byte
	}
	pop := func() {
		var err error
		if (out+out/7)%3 == 0 {
			var at *T
			if at, err = c.Peek(); err == nil {
				to.v = *at
				c.Release()
			}
		} else {
			to.v, err = c.TryPop()
		}
		wantErr(t, "TryPop", err, nil)
		if want := value[T](out); to.v != want {
			t.Fatalf("element %d is %v, want %v", out, to.v, want)
		}
		out++
	}
	for range 3 {
		for range slots {
			push()
		}
		wantErr(t, "TryPush to a full ring", p.TryPush(value[T](0)), ErrFull)
		for range 5 * slots / 3 {
			pop()
			push()
		}
		for range slots {
			pop()
		}
		wantErr(t, "TryPop of an empty ring", second(c.TryPop()), ErrEmpty)
	}
	if to.before != 0 || to.after != [9]byte{} {
		t.Fatal("what lies beside the destination was written to")
	}
}
