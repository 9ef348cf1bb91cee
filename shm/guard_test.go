//go:build linux

package shm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// guarded calls f under Guard.
func guarded(f func()) (err error) {
	defer shm.Guard(&err)()
	f()
	return nil
}

// A mapping whose file was truncated is an error under Guard, and nothing else is.
func TestGuard(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	var sum uint64
	look := func() { sum += atomic.LoadUint64(&s.Control().Tail) }
	if err := guarded(look); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, 4096); err != nil { // the header page stays
		t.Fatal(err)
	}
	for name, touch := range map[string]func(){
		"atomic load":  look,
		"atomic store": func() { atomic.StoreUint64(&s.Control().Tail, 1) },
		"plain load":   func() { sum += uint64(s.Memory()[8192]) },
		"copy":         func() { copy(make([]byte, 4096), s.Memory()[12288:]) },
		"seat name":    func() { sum += uint64(len(layout.SeatsAt(s.Memory(), 2)[1].OwnerName())) },
	} {
		wantError(t, name, guarded(touch), shm.ErrFormat, "its memory is gone, somebody truncated the file (fault at 0x", "remove it and create the ring again")
	}
	if err := guarded(func() { sum += uint64(s.Memory()[0]) }); err != nil {
		t.Errorf("what is left of the file: %v", err)
	}
	_, err := ring.Inspect(path)
	wantError(t, "Inspect", err, shm.ErrFormat, "the file has 4096 bytes")
}

// Guard lets every other panic through as it is.
func TestGuardPassesPanics(t *testing.T) {
	own := errors.New("own")
	var null *uint64
	var none []byte
	for name, c := range map[string]struct {
		f    func()
		want string
	}{
		"own":   {func() { panic(own) }, "own"},
		"null":  {func() { *null = 1 }, "runtime error: invalid memory address or nil pointer dereference"},
		"index": {func() { none[3] = 1 }, "runtime error: index out of range [3] with length 0"},
	} {
		func() {
			defer func() {
				if r := recover(); fmt.Sprint(r) != c.want {
					t.Errorf("%s: the panic became %v", name, r)
				}
			}()
			err := guarded(c.f)
			t.Errorf("%s: the panic became the error %v", name, err)
		}()
	}
}

// Guard gives the goroutine's setting back, whatever it was.
func TestGuardRestoresSetting(t *testing.T) {
	for _, before := range []bool{false, true} {
		was := debug.SetPanicOnFault(before)
		if err := guarded(func() {}); err != nil {
			t.Error(err)
		}
		if got := debug.SetPanicOnFault(was); got != before {
			t.Errorf("SetPanicOnFault was %v, Guard left %v", before, got)
		}
	}
}
