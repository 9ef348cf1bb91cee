//go:build !linux

package child

import (
	"errors"
	"os/exec"
)

func dieWithParent(*exec.Cmd) {}

// Stop would stop the child; not on this system.
func (p *Proc) Stop() error { return errors.ErrUnsupported }

// Cont would let a stopped child run on; not on this system.
func (p *Proc) Cont() error { return errors.ErrUnsupported }

// Pin would bind the calling goroutine to one CPU; not on this system.
func Pin(cpu int) error { return errors.ErrUnsupported }
