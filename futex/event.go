// The eventcount, after concurrencykit's ck_ec (include/ck_ec.h, Paul Khuong) and
// Dmitry Vyukov's, reduced to one word and two flags.

package futex

import (
	"math"
	"structs"
	"sync/atomic"
	"time"
)

// The word of an Event: epoch in bits 2 to 31, wrapping; alert in bit 1; parked in bit 0.
const (
	parked   uint32 = 1
	alert    uint32 = 2
	oneEpoch uint32 = 4
)

// Event lets goroutines of any process sleep until a condition in shared
// memory may have changed, at the cost of one load to those who change it. It is
// 4 bytes, free of pointers, lives in shared or Go memory, must not be copied, and
// its zero value is ready. All methods may be called concurrently. See the
// package comment for the protocol.
type Event struct {
	_    structs.HostLayout
	word atomic.Uint32
}

// Parked reports whether somebody sleeps or is about to, or an alert was raised: one
// atomic load, the whole cost of the waker's busy path. Call it after publishing;
// if true, Notify.
func (e *Event) Parked() bool {
	// observes the bit raised in Prepare or Alert; the waker published before, see the package comment.
	return e.word.Load()&(parked|alert) != 0
}

// Alert makes Parked report true from now on, for good: whoever publishes next, and
// then executes the second half of the barrier protocol, leaves its busy path and can
// be told that the condition itself has ended. It wakes nobody.
func (e *Event) Alert() {
	// publishes the alert; pairs with the load in Parked.
	e.word.Or(alert)
}

// Prepare announces that the caller is about to sleep and returns the token for
// Wait. Between the two the caller must execute its barrier, then look at its
// condition again, and at whether it was cancelled. If it then need not
// sleep it just goes on: the bit that stays costs the next waker one needless wake.
func (e *Event) Prepare() uint32 {
	for {
		// observes a bit some other sleeper raised, which serves us as well.
		w := e.word.Load()
		if w&parked != 0 {
			return w
		}
		// publishes that somebody sleeps; pairs with the load in Parked.
		if e.word.CompareAndSwap(w, w|parked) {
			return w | parked
		}
	}
}

// Wait sleeps until a Notify or Interrupt that came after the Prepare which
// returned token, for at most d; d < 0 means without limit. Like the function
// Wait it may return nil for no reason, and os.ErrDeadlineExceeded, never
// early. Give every wait a limit: a waker can be killed before it wakes.
func (e *Event) Wait(token uint32, d time.Duration) error {
	return Wait(&e.word, token, d)
}

// Notify wakes everybody who sleeps, if anybody does, and reports whether it did.
// Call it after publishing. false means that nobody sleeps or that
// somebody else is waking them.
func (e *Event) Notify() bool {
	// observes the bit raised in Prepare, as in Parked.
	w := e.word.Load()
	return w&parked != 0 && e.notify(w)
}

// notify is apart so that the busy path of Notify inlines.
func (e *Event) notify(w uint32) bool {
	// publishes the new epoch: no token given out so far can fall asleep any
	// more; pairs with the kernel's comparison in Wait.
	for !e.word.CompareAndSwap(w, nextEpoch(w)) {
		// observes who came between. Another waker: it moved the epoch on after our
		// load, hence after we published, and wakes. Only an alert: nobody wakes but us.
		now := e.word.Load()
		if now|alert != w|alert {
			return false
		}
		w = now
	}
	e.wakeAll()
	return true
}

// Interrupt wakes everybody who sleeps and keeps everybody from falling asleep
// who has a token, so it cannot be lost: a caller that was cancelled before Interrupt
// and looks for that after Prepare never sleeps on. Others see a needless wake. For
// cancelling and shutting down, not for the busy path.
func (e *Event) Interrupt() {
	for {
		// observes and publishes as in notify. The wake is unconditional: it also
		// reaches sleepers whose waker was killed between changing the word and waking.
		w := e.word.Load()
		if e.word.CompareAndSwap(w, nextEpoch(w)) {
			e.wakeAll()
			return
		}
	}
}

// Word returns the word to wait on, for WaitAny with the token as the value. Do
// not write to it.
func (e *Event) Word() *atomic.Uint32 { return &e.word }

func nextEpoch(w uint32) uint32 { return w&^parked + oneEpoch }

// wakeAll cannot fail on a word that was just written, so it returns nothing; where
// there is no futex nobody sleeps.
func (e *Event) wakeAll() { _, _ = wakeAll(&e.word) }

func wakeAll(word *atomic.Uint32) (int, error) { return Wake(word, math.MaxInt32) }
