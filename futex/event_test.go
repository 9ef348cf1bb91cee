//go:build linux

package futex

import (
	"errors"
	"os"
	"testing"
	"time"
	"unsafe"
)

// epochs to start at: zero, and so near the wrap of the epoch that every test crosses it.
var epochs = []uint32{0, lastEpoch, lastEpoch - 40*oneEpoch}

const lastEpoch = ^uint32(0) - oneEpoch + 1

func TestEventWord(t *testing.T) {
	if n := unsafe.Sizeof(Event{}); n != 4 {
		t.Errorf("Event has %d bytes, want 4", n)
	}
	for _, start := range epochs {
		var e Event
		e.word.Store(start)
		if e.Parked() || e.Notify() {
			t.Fatal("somebody is parked on a fresh event")
		}
		if e.word.Load() != start {
			t.Error("Notify of nobody changed the word")
		}
		token := e.Prepare()
		if token != start|parked || !e.Parked() || e.Prepare() != token || e.Word().Load() != token {
			t.Errorf("Prepare at %#x: token %#x, word %#x", start, token, e.word.Load())
		}
		if !e.Notify() || e.Parked() || e.word.Load() != start+oneEpoch {
			t.Errorf("Notify at %#x: word %#x", token, e.word.Load())
		}
		if e.Notify() {
			t.Error("a second Notify claims to have woken somebody")
		}
		if err := e.Wait(token, -1); err != nil {
			t.Errorf("Wait with a stale token = %v", err)
		}
		token = e.Prepare()
		e.Interrupt()
		if e.Parked() || e.word.Load() == token {
			t.Errorf("Interrupt at %#x: word %#x", token, e.word.Load())
		}
		before := e.word.Load()
		e.Interrupt()
		if e.word.Load() == before || e.Parked() {
			t.Error("Interrupt without sleepers did not change the word")
		}
		if err := e.Wait(e.Prepare(), time.Millisecond); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Wait = %v, want a timeout", err)
		}
	}
}

// If the CAS of Notify fails, somebody else wakes and it must not claim to.
func TestNotifyLosesToAnother(t *testing.T) {
	var e Event
	seen := e.Prepare()
	e.Interrupt()
	if e.notify(seen) {
		t.Error("notify of an epoch that is over claims to have woken")
	}
}

// An alert stays through everything and wakes nobody.
func TestAlert(t *testing.T) {
	for _, start := range epochs {
		var e Event
		e.word.Store(start)
		e.Alert()
		if !e.Parked() || e.Notify() || e.word.Load() != start|alert {
			t.Errorf("Alert at %#x: word %#x", start, e.word.Load())
		}
		token := e.Prepare()
		e.Alert()
		if e.word.Load() != token {
			t.Error("a second Alert changed the word")
		}
		if !e.Notify() || !e.Parked() || e.word.Load() != start+oneEpoch|alert {
			t.Errorf("Notify of an alerted event: word %#x", e.word.Load())
		}
		e.Interrupt()
		if e.word.Load() != start+2*oneEpoch|alert {
			t.Errorf("Interrupt of an alerted event: word %#x", e.word.Load())
		}
	}
}

// An alert between the load and the CAS of a waker must not cost the wake:
// whoever alerts does not wake.
func TestAlertDoesNotEatWake(t *testing.T) {
	var e Event
	seen := e.Prepare()
	tid, result := lockedWait(func() error { return until(&e, noBarrier, func() bool { return e.word.Load()>>2 != seen>>2 }) })
	asleep(t, os.Getpid(), tid)
	e.Alert()
	if !e.notify(seen) {
		t.Error("notify gave up because of an alert")
	}
	if err := receive(t, "the sleeper", result); err != nil {
		t.Error(err)
	}
}

// A waker that dies between its CAS and its wake leaves the sleeper asleep, which
// is why waits are bounded; and the next Interrupt gets it out all the same.
func TestWakerDiesBeforeItWakes(t *testing.T) {
	die := func(e *Event) { e.word.Store(nextEpoch(e.word.Load())) }
	var e Event
	token := e.Prepare()
	tid, result := lockedWait(func() error { return e.Wait(token, time.Second/10) })
	asleep(t, os.Getpid(), tid)
	die(&e)
	if err := receive(t, "bounded Wait", result); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Wait = %v", err)
	}
	token = e.Prepare()
	tid, result = lockedWait(func() error { return e.Wait(token, -1) })
	asleep(t, os.Getpid(), tid)
	die(&e)
	if e.Notify() {
		t.Error("Notify claims to have woken somebody who had been announced as woken")
	}
	e.Interrupt()
	if err := receive(t, "Wait after Interrupt", result); err != nil {
		t.Errorf("Wait = %v", err)
	}
}
