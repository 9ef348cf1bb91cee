package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// Removing a name must never hit a new segment that took it over. So whoever unlinks a
// segment's name holds a lock on the file, and looks, under it, whether the name is still
// that file's: nobody else unlinks it meanwhile, hence nobody can link another there.
//
// The lock is an exclusive one on NameByte. Who may unlink the file but not write to it
// cannot have that: such take a shared one, which keeps the others out, and flock among themselves.

// errRemoving means that somebody else holds the lock.
var errRemoving = fmt.Errorf("%w: somebody else is removing it", ErrBusy)

// unlinkSame unlinks path if it is the file in f. The lock goes with f.
func unlinkSame(f *os.File, path string) (bool, error) {
	if err := lockName(f); err != nil {
		return false, err
	}
	var ours, there unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &ours); err != nil {
		return false, err
	}
	if err := unix.Lstat(path, &there); err != nil {
		return false, err
	}
	if ours.Dev != there.Dev || ours.Ino != there.Ino {
		return false, nil
	}
	return true, unix.Unlink(path)
}

// lockName takes the lock, waiting a little for one who is at it.
func lockName(f *os.File) error {
	for try := range attachTries {
		if try > 0 {
			time.Sleep(attachPause)
		}
		ok, err := setLock(f, unix.F_WRLCK, layout.NameByte)
		if errors.Is(err, unix.EBADF) { // not open for writing
			if ok, err = setLock(f, unix.F_RDLCK, layout.NameByte); ok {
				err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
				ok = err == nil
				if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
					err = nil
				}
			}
		}
		if ok || err != nil {
			return err
		}
	}
	return errRemoving
}

func remove(path string) error {
	if key, ok := sysvKey(path); ok {
		return removeSysV(path, key)
	}
	const tries = 10 // the name may pass to another segment while we wait for the lock
	for range tries {
		fd, err := openRetry(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			fd, err = openRetry(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", path, explainOpen(path, err))
		}
		done, err := removeFile(os.NewFile(uintptr(fd), path), path)
		if err != nil {
			return fmt.Errorf("remove %s: %w", path, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("remove %s: %w: others remove and create it all the time", path, ErrBusy)
}

func removeFile(f *os.File, path string) (bool, error) {
	defer f.Close()
	var magic [8]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || !layout.HasMagic(magic[:]) {
		return false, fmt.Errorf("%w: it does not begin like a ring; remove it with rm if you know what it is", ErrFormat)
	}
	return unlinkSame(f, path)
}

// RemoveAbandoned removes the segment at path if it is marked (see Options.RemoveOnLast)
// and its last user was killed before it could. It reports whether it did. Open and
// Create do so by themselves.
func RemoveAbandoned(path string) (bool, error) {
	if err := platform(); err != nil {
		return false, err
	}
	s, err := open(path, false, nil)
	switch {
	case errors.Is(err, errAbandoned):
		return true, nil
	case err != nil:
		return false, err
	}
	return false, s.Close()
}

// clearAway removes an abandoned segment that is in the way of a new one, and reports
// whether it did.
func clearAway(path string) bool {
	fd, err := openRetry(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close() // and with it the locks
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	var page [layout.HeaderSize]byte
	if n, err := f.ReadAt(page[:], 0); err != nil || n < len(page) {
		return false
	}
	if _, err := layout.Validate(page[:], st.Size); err != nil || !markedFile(f) {
		return false
	}
	if alone, err := setLock(f, unix.F_WRLCK, layout.AttachByte); err != nil || !alone {
		return false
	}
	done, err := unlinkSame(f, path)
	return done || errors.Is(err, fs.ErrNotExist)
}
