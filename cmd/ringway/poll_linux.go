package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readable waits until a read from fd would not block, or until stop is at its
// end, which it reports.
func readable(fd, stop int) (stopped bool, err error) {
	fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds[:], -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return fds[1].Revents != 0, err
	}
}
