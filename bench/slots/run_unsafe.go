//lint:file-ignore U1000 the payloads are reached by address only; their fields give the size

package main

// The loops of the scenarios. One concrete function per design, because a call through an interface or a type parameter
// would be an indirect one in the middle of what is measured.

import (
	"fmt"
	"unsafe"

	"ringway/internal/order"
)

// Payloads, reached by address only; the first word is the number of the message.
type (
	p8   struct{ n uint64 }
	p24  struct{ w [3]uint64 }
	p56  struct{ w [7]uint64 }
	p64  struct{ w [8]uint64 }
	p256 struct{ w [32]uint64 }
)

// wait spends the gap before round trip i, a number of PAUSEs. A regular beat is kind to branch predictors and hides what one
// side can do while the other is away; an irregular one is nearer to what a consumer meets.
func wait(gaps []byte, i uint64) {
	for range gaps[i%uint64(len(gaps))] {
		order.Pause()
	}
}

func number[T any](v *T) *uint64 { return (*uint64)(unsafe.Pointer(v)) }

func wrong(got, want uint64) {
	panic(fmt.Sprintf("slots: message %d arrived in place of %d", got, want))
}

func (r *base[T]) produce(n int) {
	var v T
	for i := range uint64(n) {
		*number(&v) = i
		for !r.push(&v) {
		}
	}
}

func (r *base[T]) consume(n int) {
	var v T
	for i := range uint64(n) {
		for !r.pop(&v) {
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *base[T]) consumeStep(n int) {
	var v T
	for i := range uint64(n) {
		for !r.popStep(&v) {
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *base[T]) ping(back *base[T], n int, gaps []byte) {
	var v T
	for i := range uint64(n) {
		wait(gaps, i)
		*number(&v) = i
		for !r.push(&v) {
			order.Pause()
		}
		for !back.pop(&v) {
			order.Pause()
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *base[T]) pong(back *base[T], n int) {
	var v T
	for range n {
		for !r.pop(&v) {
			order.Pause()
		}
		for !back.push(&v) {
			order.Pause()
		}
	}
}

func (r *base[T]) pingStep(back *base[T], n int, gaps []byte) {
	var v T
	for i := range uint64(n) {
		wait(gaps, i)
		*number(&v) = i
		for !r.push(&v) {
			order.Pause()
		}
		for !back.popStep(&v) {
			order.Pause()
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *base[T]) pongStep(back *base[T], n int) {
	var v T
	for range n {
		for !r.popStep(&v) {
			order.Pause()
		}
		for !back.push(&v) {
			order.Pause()
		}
	}
}

func (r *seq[T, S]) produce(n int) {
	var v T
	for i := range uint64(n) {
		*number(&v) = i
		for !r.push(&v) {
		}
	}
}

func (r *seq[T, S]) consumeStep(n int) {
	var v T
	for i := range uint64(n) {
		for !r.popStep(&v) {
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *seq[T, S]) pingStep(back *seq[T, S], n int, gaps []byte) {
	var v T
	for i := range uint64(n) {
		wait(gaps, i)
		*number(&v) = i
		for !r.push(&v) {
			order.Pause()
		}
		for !back.popStep(&v) {
			order.Pause()
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *seq[T, S]) pongStep(back *seq[T, S], n int) {
	var v T
	for range n {
		for !r.popStep(&v) {
			order.Pause()
		}
		for !back.push(&v) {
			order.Pause()
		}
	}
}

func (r *seq[T, S]) consume(n int) {
	var v T
	for i := range uint64(n) {
		for !r.pop(&v) {
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *seq[T, S]) ping(back *seq[T, S], n int, gaps []byte) {
	var v T
	for i := range uint64(n) {
		wait(gaps, i)
		*number(&v) = i
		for !r.push(&v) {
			order.Pause()
		}
		for !back.pop(&v) {
			order.Pause()
		}
		if *number(&v) != i {
			wrong(*number(&v), i)
		}
	}
}

func (r *seq[T, S]) pong(back *seq[T, S], n int) {
	var v T
	for range n {
		for !r.pop(&v) {
			order.Pause()
		}
		for !back.push(&v) {
			order.Pause()
		}
	}
}
