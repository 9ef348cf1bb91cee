package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// Who has a segment mapped for writing holds a shared lock on AttachByte, so that being
// granted it exclusively proves that nobody has; and, for people, an exclusive one on a
// slot of its own. All of these lie on the description that holds our seats too: the
// kernel drops them with the process.
//
//	attach   shared lock; if the file has lost its name meanwhile, begin again
//	leave    drop the shared lock, then look, and if the segment is marked try for the
//	         exclusive one: of any number who leave at once, the last is granted it
//	remove   only while holding it, hence never while anybody is attached or attaching

// destroyOff is where the mark is, for those who read it without a mapping.
const destroyOff = layout.ControlOff + 8*layout.Line

var (
	// errGone means that the segment was removed while it was opened.
	errGone = errors.New("it was removed just now")

	// errAbandoned means that the segment is marked and its last user was killed. Whoever
	// finds out holds AttachByte exclusively and removes it.
	errAbandoned = errors.New("it was to go with its last user, who was killed")
)

const (
	attachTries = 200
	attachPause = 500 * time.Microsecond
)

// attach makes us one of the segment's users. With named, the segment was opened by a name,
// which it must still have: what is marked and left is removed, not used.
func (s *Segment) attach(name string, named bool) error {
	f, err := s.lockFile()
	if err != nil {
		return err
	}
	for try := range attachTries {
		if try > 0 {
			time.Sleep(attachPause) // a leaver holds the lock for the time of an unlink
		}
		if named && s.marked() {
			alone, err := setLock(f, unix.F_WRLCK, layout.AttachByte)
			if err != nil {
				return err
			}
			if alone {
				return errAbandoned
			}
		}
		ok, err := setLock(f, unix.F_RDLCK, layout.AttachByte)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if named && !s.hasName() {
			return errGone
		}
		return s.takeSlot(f, name)
	}
	return fmt.Errorf("%w: somebody is removing it and does not get on with it", ErrBusy)
}

// takeSlot takes the first slot whose lock is free.
func (s *Segment) takeSlot(f *os.File, name string) error {
	// Those that nobody entered are free most likely, then those that the dead left.
	var free, left []int
	c := s.Control()
	for i := range c.Attach {
		if c.Attach[i].State.Load() == layout.AttachFree { // observes: depart
			free = append(free, i)
		} else {
			left = append(left, i)
		}
	}
	slots := append(free, left...)
	rest := layout.MaxAttached - layout.AttachTable
	for n, begin := 0, rand.IntN(rest); n < rest; n++ {
		slots = append(slots, layout.AttachTable+(begin+n)%rest)
	}
	for _, i := range slots {
		ok, err := setLock(f, unix.F_WRLCK, layout.AttachSlot(i))
		if err != nil {
			return err
		}
		if ok {
			s.enter(i, name)
			return nil
		}
	}
	return fmt.Errorf("%w: it has %d users, more cannot attach", ErrBusy, layout.MaxAttached)
}

// leave ends our being attached, and removes a marked segment if we were the last. It
// comes before we unmap, so that the number of a System V segment stays its own. Whoever
// comes between our dropping the lock and our trying for it finds the segment abandoned and
// removes it, or is attached and removes it later.
func (s *Segment) leave() error {
	if s.locks == nil || s.pid != os.Getpid() {
		return nil
	}
	gone := s.depart() // the memory is gone: the file was cut short, and says nothing any more
	if _, err := setLock(s.locks, unix.F_UNLCK, layout.AttachByte); err != nil || gone != nil {
		return err
	}
	if !s.marked() {
		return nil // who marks it later has not left yet, and removes it
	}
	alone, err := setLock(s.locks, unix.F_WRLCK, layout.AttachByte)
	if err != nil || !alone {
		return err
	}
	return s.removeLast()
}

// marked reads the mark without the mapping, which may be gone or cut short.
func (s *Segment) marked() bool {
	if s.sysv != nil {
		return s.Control().Destroy.Load() != 0 // observes: RemoveOnLast
	}
	return markedFile(s.file)
}

func markedFile(f *os.File) bool {
	var b [4]byte
	_, err := f.ReadAt(b[:], destroyOff) // observes: RemoveOnLast
	return err == nil && binary.LittleEndian.Uint32(b[:]) != 0
}

// hasName reports whether the segment can still be found by others.
func (s *Segment) hasName() bool {
	if s.sysv != nil {
		return s.sysv.exists()
	}
	var st unix.Stat_t
	return unix.Fstat(int(s.file.Fd()), &st) == nil && st.Nlink > 0
}

// removeLast removes the segment. We hold AttachByte exclusively.
func (s *Segment) removeLast() error {
	if s.sysv != nil {
		return s.sysv.remove(s.locks)
	}
	_, err := unlinkSame(s.locks, s.abs)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errRemoving) {
		return nil // somebody else did, or does
	}
	return err
}

// heldSlots returns the slots whose owners live, in order.
func (s *Segment) heldSlots() ([]int, error) {
	var held []int
	err := heldIn(s.anchor, layout.AttachSlot(0), layout.AttachSlot(layout.MaxAttached), &held)
	slices.Sort(held)
	return held, err
}

// heldIn finds the held locks from byte from to byte to-1: the kernel names one of them,
// then we ask for what lies on both sides of it.
func heldIn(f *os.File, from, to int64, held *[]int) error {
	if from >= to {
		return nil
	}
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: from, Len: to - from}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return fmt.Errorf("query locks: %w", err)
	}
	if l.Type == unix.F_UNLCK {
		return nil
	}
	begin, end := max(l.Start, from), min(l.Start+l.Len, to)
	if l.Len == 0 { // to the end of the file
		end = to
	}
	for at := begin; at < end; at++ {
		*held = append(*held, int(at-layout.AttachSlot(0)))
	}
	return errors.Join(heldIn(f, from, begin, held), heldIn(f, end, to, held))
}
