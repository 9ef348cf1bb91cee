package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// streamPair makes a pipe or a pair of Unix stream sockets with room for size bytes, as
// far as the kernel allows.
func streamPair(kind string, size int) (from, to *os.File, err error) {
	if kind == "pipe" {
		if from, to, err = os.Pipe(); err != nil {
			return nil, nil, fmt.Errorf("cannot make a pipe: %w", err)
		}
		_, _ = unix.FcntlInt(to.Fd(), unix.F_SETPIPE_SZ, size) // refused beyond fs.pipe-max-size
		return from, to, nil
	}
	fd, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pair of Unix sockets: %w", err)
	}
	_ = unix.SetsockoptInt(fd[1], unix.SOL_SOCKET, unix.SO_SNDBUF, size) // cut to net.core.wmem_max
	return os.NewFile(uintptr(fd[0]), kind), os.NewFile(uintptr(fd[1]), kind), nil
}
