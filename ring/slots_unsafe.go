package ring

import (
	"sync/atomic"
	"unsafe"
)

// slots is the data area of a ring of T: a power of two of them, mask+1.
type slots[T any] struct {
	base unsafe.Pointer
	mask uint64
}

// slotsIn views data, which is at least size*sizeof(T) long and aligned for T.
func slotsIn[T any](data []byte, size int) slots[T] {
	var t T
	_ = data[uint64(size)*uint64(unsafe.Sizeof(t))-1]
	return slots[T]{unsafe.Pointer(&data[0]), uint64(size - 1)}
}

// at returns the slot of a position. The mask keeps it inside for any position.
func (s *slots[T]) at(pos uint64) *T {
	var t T
	return (*T)(unsafe.Add(s.base, uintptr(pos&s.mask)*unsafe.Sizeof(t)))
}

// put copies v, an argument on the caller's stack, into the slot of a position; store
// into any.
//
// Up to a cache line it copies in words. The compiler would load 16 bytes at a time,
// and such a load waits until the store buffer has drained if those bytes were
// stored in smaller pieces or across a line, as arguments often are. Behind the
// previous element's publish that costs a line transfer for every element.
func (s *slots[T]) put(pos uint64, v *T) { store(s.at(pos), v) }

// word reports whether a T fits a register.
func (s *slots[T]) word() bool {
	var t T
	return unsafe.Sizeof(t) <= 8
}

func store[T any](to, v *T) {
	var t T
	if unsafe.Sizeof(t)%8 != 0 || unsafe.Sizeof(t) > 64 {
		*to = *v
		return
	}
	for i := uintptr(0); i < unsafe.Sizeof(t); i += 8 { // plain enough to be inlined
		*(*uint64)(unsafe.Add(unsafe.Pointer(to), i)) = *(*uint64)(unsafe.Add(unsafe.Pointer(v), i))
	}
}

// run returns the slots from pos on that lie next to each other, at most n.
func (s *slots[T]) run(pos, n uint64) []T {
	return unsafe.Slice(s.at(pos), int(min(n, s.mask+1-pos&s.mask)))
}

// words is an array of shared words. The caller masks or has checked the index.
type words struct{ base unsafe.Pointer }

func wordsIn(w []uint64) words { return words{unsafe.Pointer(&w[0])} }

func (w words) at(i uint64) *uint64 { return (*uint64)(unsafe.Add(w.base, i*8)) }

// elementOf returns the element of a block that is always one; the block was checked
// when it became ours.
func elementOf[T any](area []byte, at uint64) *T {
	return (*T)(unsafe.Pointer(&area[at]))
}

// elementIn returns the i-th T of a block's payload.
func elementIn[T any](payload []byte, i uint64) *T {
	var t T
	size := uint64(unsafe.Sizeof(t))
	return (*T)(unsafe.Pointer(&payload[i*size : (i+1)*size][0]))
}

// elementsIn returns n of them from the i-th on.
func elementsIn[T any](payload []byte, i, n uint64) []T {
	var t T
	size := uint64(unsafe.Sizeof(t))
	return unsafe.Slice((*T)(unsafe.Pointer(&payload[i*size : (i+n)*size][0])), int(n))
}

// loadWord reads the record word at an offset that is a multiple of 8.
func loadWord(data []byte, at uint64) uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&data[at : at+8][0])))
}

// storeWord writes one. A plain store: the record is published by its position.
func storeWord(data []byte, at, word uint64) {
	*(*uint64)(unsafe.Pointer(&data[at : at+8][0])) = word
}

// loadPosition reads a position that somebody else moves.
func loadPosition(p *uint64) uint64 { return atomic.LoadUint64(p) }

// line is at, as the caches know it.
func (w words) line(i uint64) *byte { return (*byte)(unsafe.Add(w.base, i*8)) }
