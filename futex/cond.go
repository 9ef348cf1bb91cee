// A condition variable as an eventcount: waiting is for the word to change. A monitor is a
// Mutex and one Cond for each thing that is waited for (Hoare 1974, Brinch Hansen 1973; signalling and going
// on is Lampson and Redell's, "Experience with Processes and Monitors in Mesa", 1980).

package futex

import (
	"context"
	"errors"
	"math"
	"structs"
	"sync/atomic"

	"ringway/internal/failpoint"
)

// The word of a Cond: how often it was signalled, wrapping, in bits 1 to 31; parked in bit 0.
const (
	condParked uint32 = 1
	oneSignal  uint32 = 2

	condSlices = 10 // parks of 100 ms, after which a waiter looks by itself
)

// Cond lets those who hold a Mutex wait until what it guards may have changed. It is 8 bytes, free of
// pointers, lives in shared or Go memory beside the mutex, must not be copied, and its zero value is
// ready. All methods may be called concurrently; those who wait on one Cond must use one mutex.
type Cond struct {
	_    structs.HostLayout
	word atomic.Uint32
	_    uint32
}

// Wait unlocks m, sleeps until somebody signals, and locks m again. It may return without a
// signal: look at the condition in a loop. Change the condition under m, then Signal or Broadcast.
//
//	for !condition() {
//		if err := c.Wait(&m); err != nil { ... }
//	}
//
// The error is that of m.Unlock, and then nothing has happened, or that of m.Lock: nil and
// ErrOwnerDead mean that m is held. A process that dies takes nobody's signal with it: a waiter
// notices within 100 ms a signal that was meant for the dead, and within a second a change
// that the dead did not come to signal.
func (c *Cond) Wait(m *Mutex) error { return c.WaitContext(context.Background(), m) }

// WaitContext is Wait that gives up when ctx is done, with context.Cause; m is held also then. If it
// cannot be locked again, or its owner died, the error matches that as well.
func (c *Cond) WaitContext(ctx context.Context, m *Mutex) (err error) {
	defer guard(&err)()
	if err := c.reachable(); err != nil {
		return err
	}
	token := c.announce()
	failpoint.Lock(failpoint.CondAnnounced)
	if err := m.Unlock(); err != nil {
		return err
	}
	failpoint.Lock(failpoint.CondUnlocked)
	err = c.sleep(ctx, token)
	failpoint.Lock(failpoint.CondWoken)
	return errors.Join(err, m.Lock())
}

// announce raises the parked bit and returns the word to sleep on.
func (c *Cond) announce() uint32 {
	for {
		w := c.word.Load() // observes the last signal; m is held, so it is older than the next change
		// publishes that somebody sleeps, before m is unlocked; pairs with the load in signal.
		if w&condParked != 0 || c.word.CompareAndSwap(w, w|condParked) {
			return w | condParked
		}
	}
}

// sleep returns once the word is not token, or after a while all the same: a signaller may have died
// between its change and its signal.
func (c *Cond) sleep(ctx context.Context, token uint32) error {
	t := attempt{ctx: ctx}
	defer t.end()
	for ran := 0; ran < condSlices; {
		if err := t.park(&c.word, token); err != nil {
			return err
		}
		if t.ranOut {
			ran++
		}
		// observes a signal, also one whose wake went to somebody who died. Other wakes are not for us: of a
		// cancel, or of a signal older than our look at the condition.
		if c.word.Load() != token {
			return nil
		}
	}
	return nil
}

// Signal lets at least one of those who wait go on. Whether m is held does not matter, if the condition
// was changed under it. A load if nobody waits. ErrFault if the segment was closed.
func (c *Cond) Signal() error { return c.signal(1) }

// Broadcast lets all who wait go on.
func (c *Cond) Broadcast() error { return c.signal(math.MaxInt32) }

func (c *Cond) signal(n int) (err error) {
	defer guard(&err)()
	if err := c.reachable(); err != nil {
		return err
	}
	for {
		w := c.word.Load() // observes the bit raised in announce
		if w&condParked == 0 {
			return nil
		}
		next := w + oneSignal
		if n > 1 {
			next &^= condParked
		}
		// publishes the signal: no token given out so far can fall asleep any more.
		if !c.word.CompareAndSwap(w, next) {
			continue
		}
		failpoint.Lock(failpoint.CondSignalled)
		woken, err := Wake(&c.word, n)
		if err == nil && woken == 0 && next&condParked != 0 {
			// Nobody slept, and who is on the way finds another word. Somebody may have come since the
			// signal and sleep: his word changes as well.
			if c.word.CompareAndSwap(next, next&^condParked) {
				_, err = wakeAll(&c.word)
			}
		}
		return err
	}
}

// reachable makes sure that the Cond is mapped before it is touched.
func (c *Cond) reachable() error {
	if r := recently(address(c)); r != nil {
		return nil
	}
	_, err := find(address(c), condSize, nil)
	return err
}
