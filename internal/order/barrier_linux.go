package order

import (
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Commands of membarrier(2); x/sys has the call number only.
const (
	cmdQuery                   = 0
	cmdGlobalExpedited         = 1 << 1
	cmdRegisterGlobalExpedited = 1 << 2
)

// beginning is private to this process: set while a registration is under way.
var beginning atomic.Bool

func supported() bool {
	const need = cmdGlobalExpedited | cmdRegisterGlobalExpedited
	cmds, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, cmdQuery, 0, 0)
	return errno == 0 && cmds&need == need
}

func register() error {
	if registered.Load() {
		return nil
	}
	// Syscall, not RawSyscall: in a process with threads the kernel waits for an RCU
	// grace period here, and a garbage collection must not wait for that.
	_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, cmdRegisterGlobalExpedited, 0, 0)
	if errno != 0 {
		return barrierError(errno)
	}
	registered.Store(true)
	return nil
}

func registerSoon() error {
	if registered.Load() || beginning.Load() {
		return nil
	}
	// A barrier shows that the kernel has them and that no sandbox refuses them.
	if err := barrier(); err != nil {
		return err
	}
	if beginning.CompareAndSwap(false, true) {
		go func() {
			_ = register() // refused after all: full fences it is
			beginning.Store(false)
		}()
	}
	return nil
}

func barrier() error {
	// Syscall: it interrupts the other CPUs and returns, but first it may have to wait
	// for a mutex that everybody who does this shares.
	_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, cmdGlobalExpedited, 0, 0)
	if errno != 0 {
		return barrierError(errno)
	}
	return nil
}

// barrierError maps the ways a kernel (ENOSYS, EINVAL) or a sandbox (EPERM) refuses.
func barrierError(errno syscall.Errno) error {
	switch errno {
	case unix.ENOSYS, unix.EINVAL, unix.EPERM:
		return errBarrier
	}
	return os.NewSyscallError("membarrier", errno)
}
