package bench

import (
	"sync/atomic"
	"unsafe"

	"ringway/internal/order"
)

// vyukov is Dmitry Vyukov's bounded MPMC queue (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue)
// over shared memory, the peer of the exchange ring. It is not robust: who dies after its claim wedges it.
type vyukov[T any] struct {
	at    *[2]vyukovLine
	slots []vyukovSlot[T]
	mask  uint64
}

type vyukovLine struct {
	pos uint64
	_   [120]byte
}

type vyukovSlot[T any] struct {
	seq uint64
	v   T
}

func vyukovBytes[T any](slots int) int {
	var s vyukovSlot[T]
	return int(unsafe.Sizeof([2]vyukovLine{})) + slots*int(unsafe.Sizeof(s))
}

// vyukovIn views mem; one side calls init.
func vyukovIn[T any](mem []byte, slots int) *vyukov[T] {
	_ = mem[vyukovBytes[T](slots)-1]
	at := (*[2]vyukovLine)(unsafe.Pointer(&mem[0]))
	first := (*vyukovSlot[T])(unsafe.Pointer(&mem[unsafe.Sizeof(*at)]))
	return &vyukov[T]{at, unsafe.Slice(first, slots), uint64(slots - 1)}
}

func (q *vyukov[T]) init() {
	for i := range q.slots {
		q.slots[i].seq = uint64(i)
	}
}

func (q *vyukov[T]) push(v *T) bool {
	for {
		t := atomic.LoadUint64(&q.at[0].pos)
		s := &q.slots[t&q.mask]
		switch d := int64(atomic.LoadUint64(&s.seq) - t); { // acquire: pairs with the release in pop
		case d == 0:
			if atomic.CompareAndSwapUint64(&q.at[0].pos, t, t+1) {
				s.v = *v
				order.StoreRelease(&s.seq, t+1) // publishes the slot; pairs with the load in pop
				return true
			}
		case d < 0:
			return false
		}
	}
}

func (q *vyukov[T]) pop(v *T) bool {
	for {
		h := atomic.LoadUint64(&q.at[1].pos)
		s := &q.slots[h&q.mask]
		switch d := int64(atomic.LoadUint64(&s.seq) - h - 1); { // acquire: pairs with the release in push
		case d == 0:
			if atomic.CompareAndSwapUint64(&q.at[1].pos, h, h+1) {
				*v = s.v
				order.StoreRelease(&s.seq, h+q.mask+1) // passes the slot back; pairs with the load in push
				return true
			}
		case d < 0:
			return false
		}
	}
}
