package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// seatsLocked reports whether anybody holds the lock of any seat of the file at path.
func seatsLocked(path string) (bool, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil // removing it says what is wrong
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: layout.LockByte(0), Len: layout.MaxSeats}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("%s: see who uses it: %w", path, err)
	}
	return l.Type != unix.F_UNLCK, nil
}
