//go:build !linux

package lab

import (
	"errors"
	"os"
	"os/exec"
)

// Rings need Linux, and so do these experiments.

func nameless(int) (*os.File, error) { return nil, errors.ErrUnsupported }

func dieWithParent(*exec.Cmd) {}

func allowedCPUs() []int { return nil }
