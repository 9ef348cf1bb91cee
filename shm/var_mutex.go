package shm

import (
	"context"
	"errors"

	"ringway/futex"
)

// varMutex serialises the updates of a variable across processes. It lies where rings
// have head.
type varMutex struct{ m *futex.Mutex }

func mutexOf(s *Segment) varMutex { return varMutex{mutexAt(s.Control())} }

// lock takes the turn. What an owner that died left needs no repair: its half-filled copy is
// not the value, and the next update fills it again.
func (v varMutex) lock(ctx context.Context) error {
	err := v.m.LockContext(ctx)
	if errors.Is(err, futex.ErrOwnerDead) {
		return v.m.Recovered()
	}
	return err
}

func (v varMutex) unlock() error { return v.m.Unlock() }
