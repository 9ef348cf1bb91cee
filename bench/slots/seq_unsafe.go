package main

// In-slot sequence: the slot says itself whether it is full, so one cache line moves per hand-over (Dmitry Vyukov's bounded
// queue, https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue, reduced to one side each).
// tail is stored for observers and takeover only.

import (
	"sync/atomic"
	"unsafe"

	"ringway/internal/order"
)

// seq is a ring of slots of type S: a word that holds position+1 once the slot is full, then a T, then padding.
type seq[T, S any] struct{ end }

func (r *seq[T, S]) slot(pos uint64) *uint64 {
	var s S
	return (*uint64)(unsafe.Add(r.data, uintptr(pos&r.mask)*unsafe.Sizeof(s)))
}

//go:noinline
func (r *seq[T, S]) push(v *T) bool {
	t := r.pos
	if t-r.cached > r.mask && !r.room() {
		return false
	}
	w := r.slot(t)
	*(*T)(unsafe.Add(unsafe.Pointer(w), 8)) = *v
	t++
	r.pos = t
	order.StoreRelease(w, t) // publishes the slot; pairs with the load in pop
	order.StoreRelease(&r.l.tail, t)
	return true
}

// pop publishes head every time, as the base design does: a killed consumer then repeats nothing that pop returned.
//
//go:noinline
func (r *seq[T, S]) pop(v *T) bool {
	h := r.pos
	w := r.slot(h)
	h++
	if atomic.LoadUint64(w) != h { // observes a full slot; pairs with the publish in push
		return false
	}
	*v = *(*T)(unsafe.Add(unsafe.Pointer(w), 8))
	r.pos = h
	order.StoreRelease(&r.l.head, h) // publishes the free slot; pairs with the load in room
	return true
}

// popStep publishes head an eighth of the ring at a time, and before it calls the ring empty. A killed consumer would have
// popped elements that head does not show; its successor would need to tell them from the slot words.
//
//go:noinline
func (r *seq[T, S]) popStep(v *T) bool {
	h := r.pos
	w := r.slot(h)
	h++
	if atomic.LoadUint64(w) != h { // observes a full slot; pairs with the publish in push
		r.publishHead()
		return false
	}
	*v = *(*T)(unsafe.Add(unsafe.Pointer(w), 8))
	r.pos = h
	if h-r.stepped > r.mask>>3 {
		r.stepped = h
		order.StoreRelease(&r.l.head, h) // publishes an eighth of the ring; pairs with the load in room
	}
	return true
}
