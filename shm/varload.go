package shm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ringway/layout"
)

// Load returns the value. It takes no lock, never holds up an update, and repeats itself
// only if one was completed meanwhile; what it returns was the value at some moment of the
// call. After 64 repetitions, as with a large T that is updated all the time, it waits for its turn among
// the updates instead. Only a process that changes the version without the lock can make that fail, and after a second at
// most; then what Load returns may be a mixture of values, and TryLoad says so. It panics after Close.
func (v *Var[T]) Load() T {
	out, _ := v.tryLoad("Load")
	return out
}

// TryLoad is Load that says if it failed: with ErrCorrupt, or with what is wrong with the
// variable's lock.
func (v *Var[T]) TryLoad() (T, error) { return v.tryLoad("TryLoad") }

func (v *Var[T]) tryLoad(call string) (out T, err error) {
	v.open(call)
	err = v.load(bytesOf(&out))
	return out, err
}

// Read calls f with a private copy of the value, as Load returns it. What f does to
// it stays with f.
func (v *Var[T]) Read(f func(*T)) {
	v.open("Read")
	out := new(T)
	_ = v.load(bytesOf(out)) // as Load
	f(out)
}

const (
	varTries    = 64          // of a load, before it waits for its turn
	varPatience = time.Second // for that turn, which those who behave give within milliseconds
)

// load copies the current value to dst, and notes that it was looked at. The error is that of the
// last resort.
func (v *Var[T]) load(dst []byte) error {
	for range varTries {
		if v.once(dst) {
			return nil
		}
	}
	return v.loadLocked(dst)
}

// once copies the value of one version to dst and reports whether it is whole.
func (v *Var[T]) once(dst []byte) bool {
	at := atomic.LoadUint64(v.version) // acquire: pairs with the store in Update; the copy it names is whole
	loadWords(dst, v.copies[at%layout.VarCopies])
	// acquire: behind the loads above, see the comment at the top. Still the same: nobody has written to that copy.
	if atomic.LoadUint64(v.version) != at {
		return false
	}
	if v.seen.Load() != at {
		v.seen.Store(at)
	}
	return true
}

// loadLocked is load while nobody may update: what changes all the same is damage.
func (v *Var[T]) loadLocked(dst []byte) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), varPatience)
	defer cancel()
	if err := v.mutex.lock(ctx); errors.Is(err, context.DeadlineExceeded) {
		return v.failed("load", fmt.Errorf("%w: it changes all the time and its lock is not given; find who writes to it, remove it and create it again", layout.ErrCorrupt))
	} else if err != nil {
		return v.failed("load", err)
	}
	defer func() {
		if e := v.mutex.unlock(); err == nil && e != nil {
			err = v.failed("load", e)
		}
	}()
	if !v.once(dst) {
		return v.failed("load", fmt.Errorf("%w: it changes without its lock; find who writes to it, remove it and create it again", layout.ErrCorrupt))
	}
	return nil
}
