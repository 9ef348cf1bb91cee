//go:build linux

package shm_test

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringway/futex"
	"ringway/layout"
	"ringway/shm"
)

// broad takes long enough to copy that an update often comes meanwhile.
type broad [1 << 16]uint64

// Loads of a large value that is updated all the time end, and see whole values.
func TestVarLoadOfLargeValue(t *testing.T) {
	v := newVar[broad](t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		for ctx.Err() == nil {
			if err := v.Update(context.Background(), func(b *broad) error {
				for i := range b {
					b[i]++
				}
				return nil
			}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	other, err := shm.OpenVar[broad](v.Segment().Path())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		b, err := other.TryLoad()
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			if b[i] != b[0] {
				t.Fatalf("word %d is %d, word 0 is %d", i, b[i], b[0])
			}
		}
	}
	stop()
	checkErr(t, <-done)
	checkErr(t, other.Close())
}

// Whoever changes the version without end, with or without holding the lock, keeps no reader.
func TestVarLoadIsBounded(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("with one CPU nobody writes while somebody reads")
	}
	v := newVar[broad](t)
	seg, err := shm.Open(v.Segment().Path())
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				atomic.AddUint64(&seg.Control().Tail, 1)
			}
		}
	}()
	err = failing(t, v)
	wantError(t, "a version that runs", err, layout.ErrCorrupt, "load "+seg.Path()+": ", "it changes without its lock; find who writes to it")
	v.Load() // ends
	v.Read(func(*broad) {})

	held, release := make(chan struct{}), make(chan struct{})
	updated := make(chan error)
	go func() {
		updated <- v.Update(context.Background(), func(*broad) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	err = failing(t, v)
	wantError(t, "a version that runs under a lock that is kept", err, layout.ErrCorrupt, "its lock is not given")
	close(release)
	checkErr(t, <-updated)
	close(stop)
	<-done
	if _, err := v.TryLoad(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	checkErr(t, seg.Close())
}

const hang = time.Minute

// failing loads until it fails, which it does when the other goroutine runs all the while.
func failing(t *testing.T, v *shm.Var[broad]) error {
	t.Helper()
	for end := time.Now().Add(hang); time.Now().Before(end); {
		if _, err := v.TryLoad(); err != nil {
			return err
		}
	}
	return nil
}

func newVar[T any](t *testing.T) *shm.Var[T] {
	t.Helper()
	v, err := shm.CreateVar[T](filepath.Join(ramDir(t), "v"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkErr(t, v.Close()) })
	return v
}

// A lock in a variable would be copied with it.
func TestVarRefusesLocks(t *testing.T) {
	dir := ramDir(t)
	refused := func(what string, create func(string) error, open func(string) error, says string) {
		path := filepath.Join(dir, what)
		for _, err := range []error{create(path), open(path)} {
			wantError(t, what, err, shm.ErrType, path, says, "a lock guards nothing")
		}
	}
	refuse(refused, "mutex", futex.Mutex{}, "it is a futex.Mutex")
	refuse(refused, "semaphore", struct {
		N uint64
		S futex.Semaphore
	}{}, "its field S is a futex.Semaphore")
	refuse(refused, "cond", struct {
		In [2]struct{ C futex.Cond }
	}{}, "its field In[0].C is a futex.Cond")
	refuse(refused, "event", [3]futex.Event{}, "its field [0] is a futex.Event")
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("left behind: %s", strings.Join(left, ", "))
	}
}

func refuse[T any](check func(string, func(string) error, func(string) error, string), what string, _ T, says string) {
	check(what, func(path string) error { _, err := shm.CreateVar[T](path, 0o600); return err },
		func(path string) error { _, err := shm.OpenOrCreateVar[T](path, 0o600); return err }, says)
}
