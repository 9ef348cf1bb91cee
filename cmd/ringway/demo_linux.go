package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill the child when we die, kill -9 included.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// streamPair makes a pipe or a Unix stream socket, with as much room as a ring of the
// given size has, as far as the kernel allows, and says how much that is.
func streamPair(name string, size int) (from, to *os.File, room int, err error) {
	if name == "pipe" {
		from, to, err = os.Pipe()
		if err != nil {
			return nil, nil, 0, fmt.Errorf("cannot make a pipe: %w", err)
		}
		_, _ = unix.FcntlInt(to.Fd(), unix.F_SETPIPE_SZ, size) // refused beyond fs.pipe-max-size
		room, err = unix.FcntlInt(to.Fd(), unix.F_GETPIPE_SZ, 0)
		return from, to, room, err
	}
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("cannot make a pair of Unix sockets: %w", err)
	}
	from, to = os.NewFile(uintptr(fd[0]), name), os.NewFile(uintptr(fd[1]), name)
	_ = unix.SetsockoptInt(fd[1], unix.SOL_SOCKET, unix.SO_SNDBUF, size) // cut to net.core.wmem_max
	room, err = unix.GetsockoptInt(fd[1], unix.SOL_SOCKET, unix.SO_SNDBUF)
	return from, to, room, err
}

// processExists errs on the side of yes.
func processExists(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// lockDemo marks a ring as that of a running demo. The mark goes with the process.
func lockDemo(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	return nil
}

// demoLocked reports whether a running demo marked the ring; it errs on the side of yes.
func demoLocked(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil
}

// preemptions returns how often the kernel gave a CPU of ours to somebody else although
// we had work to do, as far as it tells.
func preemptions() uint64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail with a good pointer
	return uint64(u.Nivcsw)
}
