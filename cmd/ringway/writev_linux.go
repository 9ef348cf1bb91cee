package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writeAll writes pieces to standard output one behind the other, with as few system
// calls as its other end allows. Somebody who shares it may make it non-blocking at any
// time; then we wait ourselves.
func writeAll(pieces [][]byte) error {
	for len(pieces) > 0 {
		n, err := write(pieces)
		pieces = after(pieces, n)
		switch {
		case errors.Is(err, unix.EAGAIN):
			if err := writable(1); err != nil {
				return err
			}
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		}
	}
	return nil
}

// write is one call, or several for a single piece. It returns how much it wrote, also
// with an error.
func write(pieces [][]byte) (int, error) {
	if len(pieces) == 1 {
		return os.Stdout.Write(pieces[0])
	}
	n, err := unix.Writev(1, pieces)
	return max(n, 0), err
}

// after returns what is left of pieces when n bytes of them are written.
func after(pieces [][]byte, n int) [][]byte {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
