//go:build linux

package shm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"ringway/futex"
	"ringway/internal/child"
	"ringway/shm"
)

// locked is what these tests keep in a segment, in its last page.
type locked struct {
	mutex futex.Mutex
	sem   futex.Semaphore
	cond  futex.Cond
}

func locksIn(seg *shm.Segment) *locked {
	mem := seg.Memory()
	return (*locked)(unsafe.Pointer(&mem[len(mem)-4096]))
}

func init() {
	// hold locks takes the mutex and two permits of the segment at a path, or on descriptor 3.
	child.Register("hold locks", func(args []string) {
		open := func() (*shm.Segment, error) { return shm.Open(args[0]) }
		if args[0] == "memfd" {
			open = func() (*shm.Segment, error) { return shm.OpenFile(os.NewFile(3, "memfd")) }
		}
		seg, err := open()
		if err != nil {
			panic(err)
		}
		l := locksIn(seg)
		for _, err := range []error{l.mutex.Lock(), l.sem.Acquire(2)} {
			if err != nil {
				panic(err)
			}
		}
		fmt.Println("holds")
		_, _ = os.Stdin.Read(make([]byte, 1))
	})
}

func TestLocksInSegment(t *testing.T) {
	path := filepath.Join(ramDir(t), "locks")
	named := create(t, path, spec)
	memfd, err := shm.CreateTemp(spec)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, memfd)
	for name, seg := range map[string]*shm.Segment{path: named, "memfd": memfd} {
		l := locksIn(seg)
		if err := l.sem.Post(3); err != nil {
			t.Fatal(err)
		}
		cmd := child.Command("hold locks", name)
		if name == "memfd" {
			cmd.ExtraFiles = []*os.File{seg.File()}
		}
		p := child.StartCmd(t, cmd)
		p.Expect("holds")
		if err := l.mutex.TryLock(); !errors.Is(err, futex.ErrBusy) {
			t.Errorf("%s: TryLock of what a living process holds: %v", name, err)
		}
		if err := l.sem.TryAcquire(2); !errors.Is(err, futex.ErrBusy) {
			t.Errorf("%s: TryAcquire of what a living process holds: %v", name, err)
		}
		wantError(t, "Unlock", l.mutex.Unlock(), futex.ErrNotOwner, "another process")
		wantError(t, "Release", l.sem.Release(1), futex.ErrNotOwner, "holds 0")
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := l.mutex.TryLock(); !errors.Is(err, futex.ErrBusy) {
			t.Errorf("%s: TryLock of what a stopped process holds: %v", name, err)
		}
		p.Kill()
		if err := l.mutex.Lock(); !errors.Is(err, futex.ErrOwnerDead) {
			t.Errorf("%s: Lock after the owner was killed: %v", name, err)
		}
		for what, err := range map[string]error{
			"recovered": l.mutex.Recovered(), "unlock": l.mutex.Unlock(),
			"all permits": l.sem.Acquire(3), "release": l.sem.Release(3),
		} {
			if err != nil {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// Two that are open in one process are two owners.
func TestLocksAndClose(t *testing.T) {
	path := filepath.Join(ramDir(t), "locks")
	other := create(t, path, spec)
	seg, err := shm.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	l, theirs := locksIn(seg), locksIn(other)
	if err := errors.Join(l.mutex.Lock(), l.sem.Post(1), l.sem.Acquire(1)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Unlock", theirs.mutex.Unlock(), futex.ErrNotOwner)
	waiters := make(chan error, 3)
	// Pointers to the locks themselves: to find a field, compiled code may touch its struct.
	m, s, c := &l.mutex, &l.sem, &l.cond
	go func() { waiters <- m.Lock() }()
	go func() { waiters <- s.Acquire(1) }()
	time.Sleep(20 * time.Millisecond) // so that they sleep when the memory goes; if not, they find it gone before
	if err := seg.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case err := <-waiters:
			wantError(t, "a waiter when the segment is closed", err, os.ErrClosed)
		case <-time.After(child.HangLimit):
			t.Fatal("a waiter hangs when its segment is closed")
		}
	}
	for what, f := range map[string]func() error{
		"Lock": m.Lock, "TryLock": m.TryLock, "Unlock": m.Unlock, "Recovered": m.Recovered,
		"Acquire": func() error { return s.Acquire(1) }, "Release": func() error { return s.Release(1) },
		"Post": func() error { return s.Post(1) }, "Spend": func() error { return s.Spend(1) },
		"Free": func() error { _, err := s.Free(); return err },
		"Wait": func() error { return c.Wait(m) }, "Signal": c.Signal, "Broadcast": c.Broadcast,
	} {
		wantError(t, what+" after Close", f(), os.ErrClosed, "closed")
	}
	if err := theirs.mutex.Lock(); !errors.Is(err, futex.ErrOwnerDead) {
		t.Error("Lock after the owner closed the segment: ", err)
	}
	if err := theirs.sem.TryAcquire(1); err != nil {
		t.Error("a permit of who closed the segment: ", err)
	}
	readOnly, err := shm.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, readOnly)
	wantError(t, "Lock in a read-only segment", locksIn(readOnly).mutex.Lock(), futex.ErrFault, "cannot be written")
}
