package main

// Batches: in place, a run of elements is copied at once and tail stored once; with a word in every slot each element is
// copied alone and its word stored.

import (
	"sync/atomic"
	"unsafe"

	"ringway/internal/order"
)

//go:noinline
func (r *base[T]) pushN(vs []T) int {
	n := uint64(len(vs))
	if r.pos+n-r.cached > r.mask+1 {
		r.room()
		n = min(n, r.mask+1-(r.pos-r.cached))
	}
	if n == 0 {
		return 0
	}
	first := min(n, r.mask+1-r.pos&r.mask)
	copy(unsafe.Slice(r.slot(r.pos), first), vs)
	copy(unsafe.Slice(r.slot(0), n-first), vs[first:])
	r.pos += n
	order.StoreRelease(&r.l.tail, r.pos) // publishes the run; pairs with the load in ready
	return int(n)
}

//go:noinline
func (r *base[T]) popN(vs []T) int {
	if r.pos == r.cached && !r.ready() {
		return 0
	}
	n := min(uint64(len(vs)), r.cached-r.pos)
	first := min(n, r.mask+1-r.pos&r.mask)
	copy(vs, unsafe.Slice(r.slot(r.pos), first))
	copy(vs[first:], unsafe.Slice(r.slot(0), n-first))
	r.pos += n
	order.StoreRelease(&r.l.head, r.pos) // publishes the free slots; pairs with the load in room
	return int(n)
}

//go:noinline
func (r *seq[T, S]) pushN(vs []T) int {
	n := uint64(len(vs))
	if r.pos+n-r.cached > r.mask+1 {
		r.room()
		n = min(n, r.mask+1-(r.pos-r.cached))
	}
	t := r.pos
	for i := range vs[:n] {
		w := r.slot(t)
		*(*T)(unsafe.Add(unsafe.Pointer(w), 8)) = vs[i]
		t++
		order.StoreRelease(w, t) // publishes the slot; pairs with the load in popN
	}
	r.pos = t
	order.StoreRelease(&r.l.tail, t)
	return int(n)
}

//go:noinline
func (r *seq[T, S]) popN(vs []T) int {
	h := r.pos
	n := 0
	for i := range vs {
		w := r.slot(h)
		if atomic.LoadUint64(w) != h+1 { // observes a full slot; pairs with the publish in pushN
			break
		}
		vs[i] = *(*T)(unsafe.Add(unsafe.Pointer(w), 8))
		h++
		n++
	}
	if n > 0 {
		r.pos = h
		order.StoreRelease(&r.l.head, h) // publishes the free slots; pairs with the load in room
	}
	return n
}

const batch = 32

func (r *base[T]) produceN(n int) {
	var vs [batch]T
	for i := uint64(0); i < uint64(n); i += batch {
		for k := range vs {
			*number(&vs[k]) = i + uint64(k)
		}
		for done := 0; done < batch; done += r.pushN(vs[done:]) {
		}
	}
}

func (r *base[T]) consumeN(n int) {
	var vs [batch]T
	for i := uint64(0); i < uint64(n); {
		g := r.popN(vs[:])
		for k := range vs[:g] {
			if *number(&vs[k]) != i {
				wrong(*number(&vs[k]), i)
			}
			i++
		}
	}
}

func (r *seq[T, S]) produceN(n int) {
	var vs [batch]T
	for i := uint64(0); i < uint64(n); i += batch {
		for k := range vs {
			*number(&vs[k]) = i + uint64(k)
		}
		for done := 0; done < batch; done += r.pushN(vs[done:]) {
		}
	}
}

func (r *seq[T, S]) consumeN(n int) {
	var vs [batch]T
	for i := uint64(0); i < uint64(n); {
		g := r.popN(vs[:])
		for k := range vs[:g] {
			if *number(&vs[k]) != i {
				wrong(*number(&vs[k]), i)
			}
			i++
		}
	}
}
