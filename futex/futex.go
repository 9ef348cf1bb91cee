package futex

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// MaxWaiters is how many words WaitAny can wait on at once.
const MaxWaiters = 128

// ErrFault means that the word is not in readable memory any more, as when somebody
// truncated the mapped file it lies in.
var ErrFault = errors.New("futex: the word's memory is gone")

// errNoWaitv is made once so that a refusal does not allocate.
var errNoWaitv = fmt.Errorf("futex: this kernel or its seccomp profile refuses futex_waitv (Linux 5.16); wait on one word at a time: %w", errors.ErrUnsupported)

// Wait sleeps while *addr == val, for at most d; d < 0 means without limit.
// The comparison and falling asleep are one step with regard to Wake.
//
// It returns nil if it was woken, if *addr is not val, if a signal arrived or
// for no reason at all: look at the condition again. It returns
// os.ErrDeadlineExceeded, never early, once d has passed. Other errors are
// ErrFault and errors.ErrUnsupported.
//
// The goroutine holds its OS thread while it sleeps. Any number of goroutines
// and processes may wait on one word.
func Wait(addr *atomic.Uint32, val uint32, d time.Duration) error {
	if addr == nil {
		panic("futex: Wait on a nil word")
	}
	return wait(addr, val, d)
}

// Wake wakes up to n waiters of addr, in whatever process they are, and
// returns how many it woke. Waiters of WaitAny count. n <= 0 wakes nobody. It
// says nothing about the value of *addr: change it first, then wake.
func Wake(addr *atomic.Uint32, n int) (int, error) {
	if addr == nil {
		panic("futex: Wake of a nil word")
	}
	if n <= 0 {
		return 0, nil
	}
	return wake(addr, n)
}

// Waiter is one word to wait on: asleep while *Addr == Val.
type Waiter struct {
	Addr *atomic.Uint32
	Val  uint32
}

// WaitAny sleeps while every word still has its value, for at most d; d < 0 means
// without limit. It returns the index of a word that was woken or that has
// changed, or -1 with a nil error: look at all of them again.
//
// Errors: os.ErrDeadlineExceeded with index -1; one that matches
// errors.ErrUnsupported where the kernel or a seccomp profile refuses
// futex_waitv, which is remembered for the life of the process; an error if
// there are no words or more than MaxWaiters. ws is not kept. Does not allocate.
func WaitAny(ws []Waiter, d time.Duration) (int, error) {
	if len(ws) == 0 || len(ws) > MaxWaiters {
		return -1, fmt.Errorf("futex: WaitAny on %d words: pass 1 to %d", len(ws), MaxWaiters)
	}
	for i := range ws {
		if ws[i].Addr == nil {
			panic("futex: WaitAny on a nil word")
		}
	}
	return waitAny(ws, d)
}
