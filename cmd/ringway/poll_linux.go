package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readable reports whether a read from fd would not block, and whether stop is at its
// end. With block it returns when one of them is so.
func readable(fd, stop int, block bool) (ready, stopped bool, err error) {
	limit := 0
	if block {
		limit = -1
	}
	fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds[:], limit)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return fds[0].Revents != 0, fds[1].Revents != 0, err
	}
}

// writable waits until a write to fd would not block.
func writable(fd int) error {
	fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		if _, err := unix.Poll(fds[:], -1); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
