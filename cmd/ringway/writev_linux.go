package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writeAll writes pieces to standard output one behind the other, with as few system
// calls as its other end allows.
func writeAll(pieces [][]byte) error {
	for len(pieces) > 1 {
		n, err := unix.Writev(1, pieces)
		switch {
		case err == nil:
			pieces = after(pieces, n)
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN):
			return err
		}
		break // somebody made it non-blocking; os.File can wait for that
	}
	return writeEach(pieces)
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

// writeEach is writeAll with one call for each piece.
func writeEach(pieces [][]byte) error {
	for _, p := range pieces {
		if _, err := os.Stdout.Write(p); err != nil {
			return err
		}
	}
	return nil
}
