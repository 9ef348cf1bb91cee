package shm

import (
	"errors"
	"os"

	"ringway/layout"
)

// Errors to match with errors.Is. What is returned wraps them and says which
// file, what was found and what to do.
var (
	ErrBusy    = errors.New("in use")                                          // a seat is taken, or ends are open
	ErrFormat  = layout.ErrFormat                                              // foreign, half-built, damaged, truncated, or of an earlier boot
	ErrVersion = layout.ErrVersion                                             // another format version
	ErrSpec    = layout.ErrSpec                                                // an impossible spec, or not the ring's
	ErrKind    = errors.New("wrong kind of ring")                              // a ring asked of a variable, or the other way round
	ErrType    = layout.ErrType                                                // T holds a pointer, or is not the variable's type
	ErrFence   = errors.New("this process cannot do the fence the ring needs") // membarrier is refused here
	ErrClosed  = error(closedError{})                                          // shut down (and drained), or the handle is closed
)

// closedError lets ErrClosed match os.ErrClosed without dragging its text along.
type closedError struct{}

func (closedError) Error() string        { return "ring is shut down" }
func (closedError) Is(target error) bool { return target == os.ErrClosed }
