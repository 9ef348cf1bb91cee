//go:build linux

package futex

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

// hangLimit is generous: only a lost wake reaches it.
const hangLimit = 30 * time.Second

func TestMain(m *testing.M) {
	child.Run()
	os.Exit(m.Run())
}

// finishes fails the test with a dump of all goroutines if f hangs.
func finishes(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(hangLimit):
		stacks := make([]byte, 1<<16)
		t.Fatalf("%s hangs\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

// sleeps reports whether a thread sleeps in the kernel.
func sleeps(pid, tid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid))
	_, rest, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && rest[0] == 'S'
}

// asleep returns when it does.
func asleep(t *testing.T, pid, tid int) {
	t.Helper()
	for end := time.Now().Add(hangLimit); !sleeps(pid, tid); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("thread %d of %d never fell asleep", tid, pid)
		}
	}
}

// lockedWait runs f on a locked thread and sends its tid first.
func lockedWait(f func() error) (tid int, result <-chan error) {
	tids, errs := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tids <- unix.Gettid()
		errs <- f()
	}()
	return <-tids, errs
}

func receive(t *testing.T, what string, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(hangLimit):
		t.Fatalf("%s hangs", what)
		return nil
	}
}

func TestWaitReturnsAtOnceIfChanged(t *testing.T) {
	for name, w := range words(t) {
		w.Store(7)
		finishes(t, name, func() {
			if err := Wait(w, 6, -1); err != nil {
				t.Errorf("%s: Wait = %v, want nil", name, err)
			}
		})
	}
}

func TestWaitNeverEarly(t *testing.T) {
	for name, w := range words(t) {
		for _, d := range []time.Duration{0, 1, time.Microsecond, 300 * time.Microsecond, 2 * time.Millisecond, 11 * time.Millisecond} {
			for range 20 {
				start := time.Now()
				err := Wait(w, 0, d)
				took := time.Since(start)
				if err == nil { // a signal: allowed, and then it says nothing of time
					continue
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%s: Wait(%v) = %v", name, d, err)
				}
				if took < d {
					t.Fatalf("%s: Wait(%v) gave up after %v", name, d, took)
				}
			}
		}
	}
}

func TestDeadlineDoesNotOverflow(t *testing.T) {
	if got := deadline(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("deadline(max) = %d", got)
	}
	var w atomic.Uint32
	tid, result := lockedWait(func() error { return Wait(&w, 0, math.MaxInt64) })
	wakeUntil(t, tid, &w, result, 1)
}

// wakeUntil wakes w once the waiter sleeps, and wants a wake reported.
func wakeUntil(t *testing.T, tid int, w *atomic.Uint32, result <-chan error, want int) {
	t.Helper()
	for end := time.Now().Add(hangLimit); time.Now().Before(end); {
		asleep(t, os.Getpid(), tid)
		n, err := Wake(w, 10)
		if err != nil {
			t.Fatal("Wake:", err)
		}
		if n == want {
			if err := receive(t, "Wait after Wake", result); err != nil {
				t.Errorf("Wait = %v, want nil", err)
			}
			return
		}
		if n != 0 { // asleep somewhere on its way there is no waiter yet
			t.Fatalf("Wake woke %d, want %d", n, want)
		}
	}
	t.Fatal("no waiter ever appeared on the word")
}

func TestWakeCounts(t *testing.T) {
	for name, w := range words(t) {
		if n, err := Wake(w, 5); n != 0 || err != nil {
			t.Errorf("%s: Wake of nobody = %d, %v", name, n, err)
		}
		tid, result := lockedWait(func() error { return Wait(w, 0, -1) })
		asleep(t, os.Getpid(), tid)
		for _, n := range []int{0, -1} {
			if got, err := Wake(w, n); got != 0 || err != nil {
				t.Errorf("%s: Wake(%d) = %d, %v, want nobody", name, n, got, err)
			}
		}
		wakeUntil(t, tid, w, result, 1)
	}
}

func TestBadWords(t *testing.T) {
	for name, f := range map[string]func(){
		"Wait":    func() { _ = Wait(nil, 0, 0) },
		"Wake":    func() { _, _ = Wake(nil, 1) },
		"WaitAny": func() { _, _ = WaitAny([]Waiter{{}}, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a nil word did not panic", name)
				}
			}()
			f()
		}()
	}
	w := unmapped(t)
	if err := Wait(w, 0, 0); !errors.Is(err, ErrFault) {
		t.Errorf("Wait on unmapped memory = %v, want ErrFault", err)
	}
	if _, err := Wake(w, 1); !errors.Is(err, ErrFault) {
		t.Errorf("Wake on unmapped memory = %v, want ErrFault", err)
	}
}

// Signals must look like "woken" or not be seen, never like an error.
func TestSignalStorm(t *testing.T) {
	var w atomic.Uint32
	for _, d := range []time.Duration{-1, 300 * time.Millisecond} {
		for name, f := range map[string]func() error{
			"Wait":    func() error { return Wait(&w, 0, d) },
			"WaitAny": func() error { _, err := WaitAny([]Waiter{{&w, 0}}, d); return err },
		} {
			if name == "WaitAny" && !supportsWaitAny() {
				t.Log("WaitAny is not supported here: skipped")
				continue
			}
			stop := make(chan struct{})
			returns := 0
			tid, result := lockedWait(func() error {
				for {
					select {
					case <-stop:
						return nil
					default:
					}
					if err := f(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						return err
					}
					returns++
				}
			})
			sent := 0
			for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); sent++ {
				if err := unix.Tgkill(os.Getpid(), tid, syscall.SIGURG); err != nil {
					t.Fatal(err)
				}
				if sent%8 == 0 {
					runtime.Gosched()
				}
			}
			close(stop)
			for done, end := false, time.Now().Add(hangLimit); !done; {
				if time.Now().After(end) {
					t.Fatalf("%s(%v) does not come back from a wake", name, d)
				}
				select {
				case err := <-result:
					if err != nil {
						t.Errorf("%s(%v) under signals = %v", name, d, err)
					}
					done = true
				case <-time.After(time.Millisecond): // stop may be set while it falls asleep: wake again
					if _, err := Wake(&w, 1); err != nil {
						t.Fatal(err)
					}
				}
			}
			t.Logf("%s(%v): %d signals, %d returns", name, d, sent, returns)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var w atomic.Uint32
	var e Event
	ws := []Waiter{{&w, 0}, {e.Word(), 0}}
	for name, f := range map[string]func(){
		"Wait that times out":    func() { _ = Wait(&w, 0, 0) },
		"Wait on a changed word": func() { _ = Wait(&w, 1, -1) },
		"Wake":                   func() { _, _ = Wake(&w, 1) },
		"WaitAny that times out": func() { _, _ = WaitAny(ws, 0) },
		"WaitAny, changed":       func() { _, _ = WaitAny([]Waiter{{&w, 1}}, -1) },
		"Notify, nobody parked":  func() { e.Notify() },
		"Prepare, Wait, Notify":  func() { _ = e.Wait(e.Prepare(), 0); e.Notify() },
		"Interrupt":              e.Interrupt,
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations per run", name, n)
		}
		e.word.Store(0)
	}
}
