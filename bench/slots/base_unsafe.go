package main

// Base design: positions on their own lines, each side with a private copy of the other's (Erik Rigtorp, SPSCQueue,
// https://github.com/rigtorp/SPSCQueue; Lamport's ring before it). The consumer polls tail.

import (
	"structs"
	"sync/atomic"
	"unsafe"

	"ringway/internal/order"
)

// lines are the two control lines at the front of every ring here.
type lines struct {
	_    structs.HostLayout
	tail uint64
	_    [120]byte
	head uint64
	_    [120]byte
}

const linesSize = unsafe.Sizeof(lines{})

func linesAt(mem []byte) *lines        { return (*lines)(unsafe.Pointer(&mem[0])) }
func dataAt(mem []byte) unsafe.Pointer { return unsafe.Pointer(&mem[linesSize]) }

// end is one side of a ring: pos is its own position, cached the other's.
type end struct {
	l           *lines
	data        unsafe.Pointer
	mask        uint64
	pos, cached uint64
	stepped     uint64 // last head published, where head moves in steps
}

func newEnd(mem []byte, slots int) end {
	return end{l: linesAt(mem), data: dataAt(mem), mask: uint64(slots - 1)}
}

// Push and pop of every design here are calls, as they would be in a library, where the checks around them are too much to
// inline; left to itself the compiler inlines some and not others.

type base[T any] struct{ end }

func (r *base[T]) slot(pos uint64) *T {
	var v T
	return (*T)(unsafe.Add(r.data, uintptr(pos&r.mask)*unsafe.Sizeof(v)))
}

//go:noinline
func (r *base[T]) push(v *T) bool {
	t := r.pos
	if t-r.cached > r.mask && !r.room() {
		return false
	}
	*r.slot(t) = *v
	r.pos = t + 1
	order.StoreRelease(&r.l.tail, t+1) // publishes the slot; pairs with the load in ready
	return true
}

// room looks at head again.
func (r *end) room() bool {
	r.cached = atomic.LoadUint64(&r.l.head) // observes freed slots; pairs with the publish in pop
	return r.pos-r.cached <= r.mask
}

//go:noinline
func (r *base[T]) pop(v *T) bool {
	h := r.pos
	if h == r.cached && !r.ready() {
		return false
	}
	*v = *r.slot(h)
	r.pos = h + 1
	order.StoreRelease(&r.l.head, h+1) // publishes the free slot; pairs with the load in room
	return true
}

// ready looks at tail again.
func (r *end) ready() bool {
	r.cached = atomic.LoadUint64(&r.l.tail) // observes filled slots; pairs with the publish in push
	return r.pos != r.cached
}

// popStep is pop with head published in steps, to tell the gain of the steps from the gain of the slot word.
//
//go:noinline
func (r *base[T]) popStep(v *T) bool {
	h := r.pos
	if h == r.cached && !r.readyStep() {
		return false
	}
	*v = *r.slot(h)
	h++
	r.pos = h
	if h-r.stepped > r.mask>>3 {
		r.stepped = h
		order.StoreRelease(&r.l.head, h) // publishes an eighth of the ring; pairs with the load in room
	}
	return true
}

func (r *end) readyStep() bool {
	r.publishHead()
	return r.ready()
}

func (r *end) publishHead() {
	if r.stepped != r.pos {
		r.stepped = r.pos
		order.StoreRelease(&r.l.head, r.pos) // publishes all that is free; pairs with the load in room
	}
}
