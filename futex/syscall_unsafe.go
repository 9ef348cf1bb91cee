//go:build linux

package futex

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/futex.h. The private flag (128) is absent throughout: with it the
// kernel would look for waiters in this process only.
const (
	opWake         = 1
	opWaitBitset   = 9 // absolute deadline on CLOCK_MONOTONIC, so a retry needs no arithmetic
	bitsetMatchAny = 0xffffffff
	futex2SizeU32  = 2
	nanosPerSecond = 1e9
)

// sysWait goes through Syscall6, which gives up the P: other goroutines and
// the garbage collector go on while this thread sleeps.
func sysWait(addr *atomic.Uint32, val uint32, deadline int64) syscall.Errno {
	var ts *unix.Timespec
	if deadline >= 0 {
		t := unix.NsecToTimespec(deadline)
		ts = &t
	}
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), opWaitBitset, uintptr(val),
		uintptr(unsafe.Pointer(ts)), 0, bitsetMatchAny)
	return errno
}

// sysWake goes through RawSyscall6: it never sleeps, so the scheduler need
// not know.
func sysWake(addr *atomic.Uint32, n int) (int, syscall.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), opWake, uintptr(n),
		0, 0, 0)
	return int(r), errno
}

// waitv is struct futex_waitv and timespec64 struct __kernel_timespec.
type waitv struct {
	val, uaddr uint64
	flags, _   uint32
}

type timespec64 struct{ sec, nsec int64 }

// sysWaitv keeps the array on the stack. The addresses in it are plain numbers
// to the runtime; they stay right because nothing between filling it and the kernel
// entry can move a stack, and heap and mappings do not move.
func sysWaitv(ws []Waiter, deadline int64) (int, syscall.Errno) {
	var kernel [MaxWaiters]waitv
	var ts timespec64
	var tsp *timespec64
	if deadline >= 0 {
		ts = timespec64{deadline / nanosPerSecond, deadline % nanosPerSecond}
		tsp = &ts
	}
	for i := range ws {
		kernel[i] = waitv{val: uint64(ws[i].Val), uaddr: uint64(uintptr(unsafe.Pointer(ws[i].Addr))), flags: futex2SizeU32}
	}
	r, _, errno := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(&kernel)), uintptr(len(ws)), 0,
		uintptr(unsafe.Pointer(tsp)), unix.CLOCK_MONOTONIC, 0)
	runtime.KeepAlive(ws)
	return int(r), errno
}
