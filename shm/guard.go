package shm

import (
	"fmt"
	"runtime/debug"

	"ringway/layout"
)

// Guard turns a fault on mapped memory, as after somebody truncated the file, into
// an error that matches ErrFormat instead of the death of the process. Use it as
// "defer Guard(&err)()" in a function that touches a segment somebody else may
// damage; it holds for this goroutine until the deferred call.
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
		}); ok && fault.Addr() >= layout.Page { // below that it is a nil pointer, which is a bug
			*err = fmt.Errorf("%w: its memory is gone, somebody truncated the file (fault at %#x); remove it and create the ring again", ErrFormat, fault.Addr())
			return
		}
		panic(r)
	}
}
