package main

import "golang.org/x/sys/unix"

// isTerminal reports whether a descriptor is a terminal. It takes a number because
// os.File.Fd would make a descriptor that we share with others blocking.
func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}
