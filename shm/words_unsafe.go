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
