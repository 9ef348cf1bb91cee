package futex

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"ringway/internal/order"
)

// Errors of locks, to match with errors.Is.
var (
	ErrBusy           = errors.New("in use")                            // a Try, and others have it
	ErrOwnerDead      = errors.New("the owner died holding the mutex")  // you hold it now: repair the data, call Recovered
	ErrNotRecoverable = errors.New("the mutex was not recovered")       // after an ErrOwnerDead; zero its memory to begin anew
	ErrNotOwner       = errors.New("this process does not hold it")     // Unlock, Recovered, Release, Spend
	ErrCorrupt        = errors.New("the lock word is damaged")          // somebody scribbled over it
	ErrTooMany        = errors.New("more than the semaphore can count") // permits, or processes
)

// attempt is one call that waits for a lock: it spins, then parks.
type attempt struct {
	ctx    context.Context // nil: none
	start  time.Time       // of the wait, once it began
	stop   func()          // ends the watch over ctx
	spun   bool
	ranOut bool // the last park ended by time
	parks  int
	polls  uint32 // of the spin
	pause  int    // between two polls
}

const (
	leastSpin = 8   // polls that are always tried
	mostSpin  = 512 // and never exceeded
	mostPause = 60  // instructions between two polls
)

func (t *attempt) begin() {
	if t.start.IsZero() {
		t.start = time.Now()
	}
}

func (t *attempt) waited() time.Duration { return time.Since(t.start) }

// spin polls until moved reports that it may pay to try again, or the spin is used up, which spun
// says. Polls become rarer, so that the line stays where it is worked with.
func (t *attempt) spin(hint uint32, moved func() bool) {
	t.begin()
	t.spun = true
	if order.CPUs() < 2 {
		return
	}
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.Gosched() // the owner may be a goroutine of ours
		return
	}
	for limit := min(2*hint+leastSpin, mostSpin); t.polls < limit; t.polls++ {
		t.pause = min(2*t.pause+4, mostPause)
		for range t.pause {
			order.Pause()
		}
		if moved() {
			t.spun = false
			return
		}
	}
}

// nextSpin moves the hint an eighth of the way.
func nextSpin(hint uint32, t *attempt) uint32 {
	hint = min(hint, mostSpin)
	need := t.polls
	if t.parks > 0 {
		need = 0 // it was in vain
	}
	return uint32(int(hint) + (int(need)-int(hint))/8)
}

// park sleeps while *word is val, for at most lockSlice. The error is ctx's cause, or ErrFault.
func (t *attempt) park(word *atomic.Uint32, val uint32) error {
	t.begin()
	if t.ctx != nil && t.ctx.Done() != nil {
		if t.stop == nil {
			t.stop = kickWhenDone(t.ctx, word)
		}
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
	}
	err := wait(word, val, lockSlice)
	t.parks++
	if t.ranOut = errors.Is(err, os.ErrDeadlineExceeded); t.ranOut {
		err = nil
	}
	return err
}

func (t *attempt) end() {
	if t.stop != nil {
		t.stop()
	}
}

// kickWhenDone wakes everybody who sleeps on word when ctx is done, again and again until stopped:
// the word does not change, so one wake could come before the sleep.
func kickWhenDone(ctx context.Context, word *atomic.Uint32) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ended)
		for tick := time.NewTicker(time.Millisecond); ; {
			_, _ = wakeAll(word) // the memory may be gone; the sleeper finds out by itself
			select {
			case <-quit:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		close(quit)
		if !cancel() {
			<-ended // it touches memory that may be unmapped once we return
		}
	}
}

// guard turns a fault on a primitive's memory, as after the segment was closed or its file
// truncated while somebody waited, into ErrFault. Use it as "defer guard(&err)()".
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		switch r := recover().(type) {
		case nil:
		case interface {
			error
			Addr() uintptr
		}:
			*err = errUnmapped
		default:
			panic(r)
		}
	}
}
