//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
)

// Rings need Linux, so no demo gets as far as this.

func dieWithParent(*exec.Cmd) {}

func streamPair(string, int) (from, to *os.File, room int, err error) {
	return nil, nil, 0, errors.ErrUnsupported
}

func processExists(int) bool { return true }

func lockDemo(*os.File) error { return errors.ErrUnsupported }

func demoLocked(string) bool { return true }

func preemptions() uint64 { return 0 }
