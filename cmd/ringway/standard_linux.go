package main

import "golang.org/x/sys/unix"

// nowhere reports whether a standard descriptor leads nowhere: Go's runtime replaces one that is
// closed by /dev/null, open for reading and writing. Whoever means it, as in
// "recv > /dev/null", opens that one way; but some programs that start others open it both ways, as
// Python's subprocess.DEVNULL and container runtimes do, and the error must fit them too.
func nowhere(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return false
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}
