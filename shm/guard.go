package shm

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// mapped holds the address ranges of all open mappings of this process, so that
// Guard can tell their faults from the bugs of others.
var mapped struct {
	sync.Mutex
	ranges map[uintptr]uintptr // begin to end
}

func noteMapping(begin uintptr, size int) {
	mapped.Lock()
	defer mapped.Unlock()
	if mapped.ranges == nil {
		mapped.ranges = map[uintptr]uintptr{}
	}
	mapped.ranges[begin] = begin + uintptr(size)
}

func forgetMapping(begin uintptr) {
	mapped.Lock()
	defer mapped.Unlock()
	delete(mapped.ranges, begin)
}

func inMapping(addr uintptr) bool {
	mapped.Lock()
	defer mapped.Unlock()
	for begin, end := range mapped.ranges {
		if begin <= addr && addr < end {
			return true
		}
	}
	return false
}

// Guard turns a fault on the memory of an open segment, as after somebody truncated the
// file, into an error that matches ErrFormat instead of the death of the process. Use
// it as "defer Guard(&err)()" in a function that touches a segment somebody else may
// damage; it holds for this goroutine until the deferred call. Other panics go on.
func Guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		if fault, ok := r.(interface {
			error
			Addr() uintptr
		}); ok && inMapping(fault.Addr()) {
			*err = fmt.Errorf("%w: its memory is gone, somebody truncated the file (fault at %#x); remove it and create the ring again", ErrFormat, fault.Addr())
			return
		}
		panic(r)
	}
}
