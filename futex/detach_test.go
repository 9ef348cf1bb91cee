//go:build linux

package futex

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A file that comes to lie where an attached one lay, before that one is detached, is not taken for it:
// the owner of its locks would be dead to all others.
func TestDetachBy(t *testing.T) {
	first, second := newFile(t), newFile(t)
	mem, err := mapFile(first)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(first, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := os.OpenFile(second, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	a := Attach(mem, f)
	m := at[Mutex](mem, 0)
	if err := errors.Join(m.Lock(), m.Unlock()); err != nil {
		t.Fatal(err)
	}
	locked := make(chan error)
	enough := errors.New("reported")
	err = a.DetachBy(func() error {
		where := unsafe.Pointer(unsafe.SliceData(mem))
		if _, err := unix.MmapPtr(int(g.Fd()), 0, where, uintptr(len(mem)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			return err
		}
		go func() { locked <- m.Lock() }()
		for range 1000 { // it has its chance to look too early
			runtime.Gosched()
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("DetachBy says %v, want the error of unmap", err)
	}
	select {
	case err := <-locked:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the lock is never given")
	}
	again, err := mapFile(second)
	if err != nil {
		t.Fatal(err)
	}
	other := at[Mutex](again, 0)
	if err := other.TryLock(); !errors.Is(err, ErrBusy) {
		t.Errorf("the file's other mapping finds %v, want ErrBusy", err)
	}
	if err := errors.Join(m.Unlock(), a.Detach(), unix.Munmap(again), unix.Munmap(mem)); err != nil {
		t.Error(err)
	}
}
