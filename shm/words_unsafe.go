package shm

import (
	"sync/atomic"
	"unsafe"

	"ringway/futex"
	"ringway/layout"
)

func events(c *layout.Control) (notEmpty, notFull *futex.Event) {
	return (*futex.Event)(unsafe.Pointer(&c.NotEmpty)), (*futex.Event)(unsafe.Pointer(&c.NotFull))
}

func loadPosition(p *uint64) uint64 { return atomic.LoadUint64(p) }

// address is where mapped memory begins, for comparing with the address of a fault.
func address(mem []byte) uintptr { return uintptr(unsafe.Pointer(&mem[0])) }

// alignedBytes returns n zero bytes of heap that begin at a page boundary.
func alignedBytes(n int) []byte {
	b := make([]byte, n+layout.Page)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % layout.Page)
	return b[skip : skip+n : skip+n]
}

// mutexAt returns the mutex of a variable, on the line where rings have head.
func mutexAt(c *layout.Control) *futex.Mutex { return (*futex.Mutex)(unsafe.Pointer(&c.Head)) }

// It fits the line; an array of negative length is an error.
var _ [layout.Line - unsafe.Sizeof(futex.Mutex{})]byte

// valueAt views a shared struct, which layout places at a page's begin.
func valueAt[T any](mem []byte, at uint64) *T {
	b := mem[at:]
	_ = b[unsafe.Sizeof(*new(T))-1] // it lies inside, or this panics
	return (*T)(unsafe.Pointer(&b[0]))
}

// touch makes every page present without changing a byte, whoever writes there meanwhile.
func touch(mem []byte, write bool) {
	for at := 0; at < len(mem); at += layout.Page {
		word := (*uint32)(unsafe.Pointer(&mem[at]))
		if write {
			atomic.AddUint32(word, 0) // publishes nothing: a store that cannot undo another's
		} else {
			atomic.LoadUint32(word) // observes nothing
		}
	}
}
