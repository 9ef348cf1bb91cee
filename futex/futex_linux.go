package futex

import (
	"math"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func wait(addr *atomic.Uint32, val uint32, d time.Duration) error {
	errno := sysWait(addr, val, deadline(d))
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR:
		return nil
	case unix.ETIMEDOUT:
		return os.ErrDeadlineExceeded
	case unix.EFAULT:
		return ErrFault
	}
	return os.NewSyscallError("futex wait", errno)
}

func wake(addr *atomic.Uint32, n int) (int, error) {
	woken, errno := sysWake(addr, min(n, math.MaxInt32))
	if errno == unix.EFAULT {
		return 0, ErrFault
	}
	if errno != 0 {
		return 0, os.NewSyscallError("futex wake", errno)
	}
	return woken, nil
}

// noWaitv is set once the kernel refused futex_waitv; private to this process.
var noWaitv atomic.Bool

func waitAny(ws []Waiter, d time.Duration) (int, error) {
	if noWaitv.Load() {
		return -1, errNoWaitv
	}
	i, errno := sysWaitv(ws, deadline(d))
	switch errno {
	case 0:
		return i, nil
	case unix.EAGAIN:
		return changed(ws), nil
	}
	return -1, waitAnyError(errno)
}

// waitAnyError maps what futex_waitv answers apart from success and EAGAIN. The
// first refusal is the probe: the call exists or it does not.
func waitAnyError(errno syscall.Errno) error {
	switch errno {
	case unix.EINTR:
		return nil
	case unix.ETIMEDOUT:
		return os.ErrDeadlineExceeded
	case unix.EFAULT:
		return ErrFault
	case unix.ENOSYS, unix.EPERM:
		noWaitv.Store(true)
		return errNoWaitv
	}
	return os.NewSyscallError("futex_waitv", errno)
}

// changed finds a word that no longer has its value, which EAGAIN does not tell.
func changed(ws []Waiter) int {
	for i := range ws {
		// observes: whatever change the kernel saw; its publisher is the waker.
		if ws[i].Addr.Load() != ws[i].Val {
			return i
		}
	}
	return -1
}

// The runtime reads CLOCK_MONOTONIC for time.Since, so one pair of readings turns its
// clock into the kernel's, and a deadline costs no system call.
var (
	baseTime time.Time
	baseMono int64 // CLOCK_MONOTONIC in ns, taken just after baseTime
)

func init() {
	// Of a few tries keep the closest pair: what lies between the readings makes
	// every deadline that much late. Never early, for baseTime is read first.
	gap := time.Duration(math.MaxInt64)
	for range 8 {
		var ts unix.Timespec
		before := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			panic("futex: no CLOCK_MONOTONIC: " + err.Error())
		}
		if g := time.Since(before); g < gap {
			gap, baseTime, baseMono = g, before, ts.Nano()
		}
	}
}

// noDeadline means sleep without limit.
const noDeadline = -1

// deadline returns the time on CLOCK_MONOTONIC, in ns, that is d from now.
func deadline(d time.Duration) int64 {
	if d < 0 {
		return noDeadline
	}
	now := baseMono + int64(time.Since(baseTime))
	if int64(d) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + int64(d)
}
