package shm

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"ringway/internal/failpoint"
)

// Open file description locks: they conflict between two opens even within one
// process, survive a stray close of another descriptor, and are dropped by the
// kernel after the last thread has left its address space, so a free lock proves
// that its owner will never store again (kernel: exit_mm before exit_files).

// lockFile returns the description that holds our locks, opening it on first use.
// It is not the one in File, which others may inherit and keep alive after us.
func (s *Segment) lockFile() (*os.File, error) {
	if s.locks != nil {
		return s.locks, nil
	}
	f, err := reopen(s.anchor, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := probeLocks(s.anchor, f); err != nil {
		_ = f.Close() // the error that matters is err
		return nil, err
	}
	s.locks = f
	return f, nil
}

// probeLocks makes sure that locks of two descriptions conflict here, which some
// network and user-space file systems only pretend. It uses a byte below all seats.
func probeLocks(a, b *os.File) error {
	const probe = 1<<40 - 1
	got, err := setLock(b, unix.F_WRLCK, probe)
	if err != nil {
		return err
	}
	if !got {
		return nil // a real conflict: somebody else is probing
	}
	seen, err := lockHeld(a, probe)
	if _, e := setLock(b, unix.F_UNLCK, probe); err == nil {
		err = e
	}
	if err == nil && !seen {
		err = fmt.Errorf("this file system does not support open file description locks; put the ring in %s or on a local disk", Dir)
	}
	return err
}

func (s *Segment) lock(at int64) (bool, error) {
	if s.anchor == nil {
		return failpoint.TryLock(at), nil // heap: the table of our own seats is all there is
	}
	f, err := s.lockFile()
	if err != nil {
		return false, err
	}
	return setLock(f, unix.F_WRLCK, at)
}

func (s *Segment) unlock(at int64) error {
	if s.anchor == nil {
		failpoint.Unlock(at)
		return nil
	}
	_, err := setLock(s.locks, unix.F_UNLCK, at)
	return err
}

// locked reports whether another description holds the lock at a byte.
func (s *Segment) locked(at int64) (bool, error) {
	if s.anchor == nil {
		return failpoint.Locked(at), nil
	}
	return lockHeld(s.anchor, at)
}

func setLock(f *os.File, kind int16, at int64) (bool, error) {
	l := unix.Flock_t{Type: kind, Start: at, Len: 1}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return false, nil
	case errors.Is(err, unix.EINVAL):
		return false, fmt.Errorf("this kernel or file system has no open file description locks (Linux 3.15): %w", err)
	}
	return false, fmt.Errorf("lock: %w", err)
}

func lockHeld(f *os.File, at int64) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("query lock: %w", err)
	}
	return l.Type != unix.F_UNLCK, nil
}

// reopen gives f's file a description of its own.
func reopen(f *os.File, flag int) (*os.File, error) {
	own, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), flag, 0)
	runtime.KeepAlive(f) // or its finalizer may close the descriptor before it is opened again
	if err != nil {
		return nil, fmt.Errorf("open it again through /proc (is it mounted?): %w", err)
	}
	return own, nil
}
