package main

import "golang.org/x/sys/unix"

// widePipe is as much as everybody may give a pipe by default.
const widePipe = 1 << 20

// widen lets a pipe hold more, so that whoever is at its other end need not wait for
// us so often. What is no pipe, or may not grow, stays as it is.
func widen(fd int) { _, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, widePipe) }
