package shm

import (
	"fmt"
	"os"
	"time"

	"ringway/layout"
)

// Attached says who has a segment mapped for writing. Observers, who map it for reading
// only, leave no trace.
type Attached struct {
	Count        int          // mappings for writing, in all processes
	Who          []Attachment // those of them that have an entry: layout.AttachTable at most
	RemoveOnLast bool         // the last to leave removes the segment
	Nattch       int          // System V: mappings as the kernel counts them, readers too; else -1
}

// Attachment is one mapping for writing.
type Attachment struct {
	Slot    int       // in the attach table
	PID     int       // in the owner's PID namespace; for people
	Name    string    // as Options.Name
	Since   time.Time // when it was mapped
	Started uint64    // when the process was started, clock ticks after boot; 0: unknown
	Stopped bool      // suspended by a signal or a debugger, as far as /proc tells
}

// Attached says who has the segment open now. It counts by locks that the kernel drops
// with their owner, so the dead are never in it. Works through a read-only segment. On a
// Heap segment it is empty: nobody else can have it.
func (s *Segment) Attached() (Attached, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Attached{Nattch: -1}
	if s.shut {
		return a, fmt.Errorf("look at %s: %w", s.path, ErrClosed)
	}
	if s.anchor == nil {
		return a, nil
	}
	held, err := s.heldSlots()
	if err != nil {
		return a, fmt.Errorf("look at %s: %w", s.path, err)
	}
	c := s.Control()
	a.Count, a.RemoveOnLast = len(held), c.Destroy.Load() != 0 // observes: RemoveOnLast
	for _, i := range held {
		if i >= layout.AttachTable {
			break
		}
		line := &c.Attach[i]
		if line.State.Load() != layout.AttachTaken { // observes: its owner has filled it in
			continue
		}
		who := Attachment{Slot: i, PID: int(line.PID.Load()), Name: line.OwnerName(),
			Since: time.Unix(0, line.Since.Load()), Started: line.Start.Load()}
		who.Stopped = Stopped(who.PID)
		a.Who = append(a.Who, who)
	}
	a.Nattch, err = s.kernelCount()
	return a, err
}

// RemoveOnLast marks the segment: the last process to close it removes it, as a System V
// segment goes with its last user after IPC_RMID. It stays in place, and may be opened,
// until then. A process that is killed has left; if it was the last, the next one that
// creates, opens or reaps the segment under its name removes it. There is no way back.
// Observers do not count. On a segment without a name it changes nothing.
func (s *Segment) RemoveOnLast() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shut:
		return fmt.Errorf("mark %s for removal: %w", s.path, ErrClosed)
	case s.readOnly:
		return fmt.Errorf("mark %s for removal: opened read-only", s.path)
	}
	s.Control().Destroy.Store(1) // publishes the mark; pairs with the look at it in leave, after our own leaving
	return nil
}

// enter fills in our entry of the attach table, whose lock we hold.
func (s *Segment) enter(slot int, name string) {
	s.slot, s.pid = slot, os.Getpid()
	if slot >= layout.AttachTable {
		return
	}
	line := &s.Control().Attach[slot]
	line.State.Store(layout.AttachFree) // a reader must not take a dead owner's entry for ours
	line.PID.Store(uint32(s.pid))
	line.Start.Store(startTime(s.pid))
	line.Since.Store(time.Now().UnixNano())
	line.SetName(name)
	line.State.Store(layout.AttachTaken) // publishes the entry, to people
}

// depart clears our entry, while its lock is still ours.
func (s *Segment) depart() (err error) {
	defer Guard(&err)()
	if s.slot < layout.AttachTable {
		s.Control().Attach[s.slot].State.Store(layout.AttachFree) // publishes: left in good order
	}
	return nil
}
