package futex

import (
	"sync/atomic"
	"unsafe"
)

// Sizes are part of the contract: primitives live in memory that other builds map.
const (
	mutexSize     = 32
	semaphoreSize = 1024
	condSize      = 8
)

var (
	_ [mutexSize]struct{}     = [unsafe.Sizeof(Mutex{})]struct{}{}
	_ [semaphoreSize]struct{} = [unsafe.Sizeof(Semaphore{})]struct{}{}
	_ [condSize]struct{}      = [unsafe.Sizeof(Cond{})]struct{}{}
)

// address is where a primitive lies. It is only compared.
func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func addressOf(mem []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(mem))) }

// low is the half of a word that waiters sleep on: the lower one, on the little-endian
// machines that segments are for.
func low(w *atomic.Uint64) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(w)) }
