package order

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// registered is private to this process: set once the kernel accepted us.
var registered atomic.Bool

// errBarrier is made once so that a refusal does not allocate.
var errBarrier = fmt.Errorf("order: this kernel or its seccomp profile has no expedited global membarrier (Linux 4.16); use full fences: %w", errors.ErrUnsupported)

// Supported reports whether Register and Barrier work here. It asks the
// kernel each time. Safe for concurrent use.
func Supported() bool { return supported() }

// Register makes this process answer to the Barrier of any process on this
// machine; see the package comment for who must call it. It takes effect
// before it returns, lasts until exec or exit, and costs a kernel call (which may wait
// for tens of milliseconds) only the first time. The error matches
// errors.ErrUnsupported where there is no such barrier. Safe for concurrent use.
func Register() error { return register() }

// RegisterSoon is Register that does not wait: it begins in the background what takes
// time, and says now whether it can be done at all. Until Registered the caller must
// publish with full fences. Errors as for Register. Safe for concurrent use.
func RegisterSoon() error { return registerSoon() }

// Registered reports whether this process answers to barriers: one atomic load. Safe
// for concurrent use.
func Registered() bool { return registered.Load() }

// Barrier makes every running thread of every registered process, and the
// caller, execute a full memory fence between its start and its return. It costs
// microseconds: call it on the way to sleep only. The error matches
// errors.ErrUnsupported where there is no such barrier. Safe for concurrent use;
// does not allocate.
func Barrier() error { return barrier() }
