package main

import (
	"errors"
	"fmt"
	"syscall"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// closing closes s when a verb is done with it.
func closing(s *shm.Segment, err *error) {
	if e := s.Close(); *err == nil {
		*err = e
	}
}

// notCorrupt returns an error if s is corrupt.
func notCorrupt(s *shm.Segment) error {
	c := s.Control()
	if c.State.Load() != layout.StateCorrupt { // observes: MarkCorrupt by anybody
		return nil
	}
	return fmt.Errorf("%s: %w: %s, seen at position %d; remove it and create the ring again",
		s.Path(), ring.ErrCorrupt, layout.ReasonText(c.Reason.Load()), c.Where.Load())
}

// gone explains EFAULT: a system call was given memory of the ring that is no
// longer there, where a load or store would have been a fault.
func gone(s *shm.Segment, err error) error {
	if !errors.Is(err, syscall.EFAULT) {
		return err
	}
	return fmt.Errorf("%s: %w: its memory is gone, somebody truncated the file; remove it and create the ring again", s.Path(), shm.ErrFormat)
}
