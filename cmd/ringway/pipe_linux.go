package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// widePipe is as much as everybody may give a pipe by default.
const widePipe = 1 << 20

// widen lets a pipe hold more, so that whoever is at its other end need not wait for
// us so often, and returns how many bytes it holds. What is no pipe (0), may not grow, or
// is wide already stays as it is.
func widen(fd int) int {
	size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return 0
	}
	if size < widePipe {
		if grown, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, widePipe); err == nil {
			size = grown
		}
	}
	return size
}

// pending is how many bytes wait to be read from fd: at either end of a pipe, in a
// file behind where we are. 0 or less says nothing.
func pending(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ) // FIONREAD
	if err != nil {
		return 0
	}
	return n
}

// datagrams reports whether fd is a socket that keeps what was written at once together,
// so that a read which takes less loses the rest.
func datagrams(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind != unix.SOCK_STREAM
}

// nap sleeps for d, or less at a signal. Unlike time.Sleep it does not make the runtime
// look for other work in between, which costs more than a nap is worth.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}
