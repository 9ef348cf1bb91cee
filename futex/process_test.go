//go:build linux

package futex

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/internal/order"
)

func init() {
	// sleep waits on word 1 of the file until it is woken, without limit.
	child.Register("sleep", func(args []string) {
		b, err := mapFile(args[0])
		check(err)
		e := at[Event](b, 1)
		token := e.Prepare()
		fmt.Println("pid", os.Getpid())
		for e.word.Load() == token {
			check(e.Wait(token, -1))
		}
		fmt.Println("woken")
	})
	// pong plays side 1 of a pingPong.
	child.Register("pong", func(args []string) {
		b, err := mapFile(args[0])
		check(err)
		n, err := strconv.ParseUint(args[2], 10, 64)
		check(err)
		f := fence{fullFence, noBarrier}
		if args[1] == "asymmetric" {
			check(order.Register())
			f = fence{order.StoreRelease, order.Barrier}
		}
		check(at[pingPong](b, 1).play(1, n, f.publish, f.barrier))
	})
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// sleeperOn starts a child that sleeps on the event of the file and returns once
// it is announced.
func sleeperOn(t *testing.T, path string) *child.Proc {
	t.Helper()
	p := child.Start(t, "sleep", path)
	p.Expect(fmt.Sprint("pid ", p.Pid()))
	return p
}

func eventIn(t *testing.T) (string, *Event) {
	t.Helper()
	path := newFile(t)
	b, err := mapFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return path, at[Event](b, 1)
}

// With the private flag on either side the kernel finds no waiter here.
func TestWakeCrossesProcesses(t *testing.T) {
	path, e := eventIn(t)
	p := sleeperOn(t, path)
	token := e.word.Load()
	for end := time.Now().Add(hangLimit); ; { // a wake may find it still on its way: then again
		n, err := Wake(e.Word(), 1)
		if err != nil {
			t.Fatal("Wake:", err)
		}
		if n == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no wake reaches the waiter in the other process")
		}
		time.Sleep(time.Millisecond)
	}
	if e.word.Load() != token {
		t.Error("Wake changed the word")
	}
	if !e.Notify() {
		t.Error("Notify found nobody parked")
	}
	p.Expect("woken")
	if err := p.Wait(); err != nil {
		t.Error("sleeper:", err)
	}
}

func TestPingPongTwoProcesses(t *testing.T) {
	for name, f := range fences(t) {
		path := newFile(t)
		b, err := mapFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(b)
		game := at[pingPong](b, 1)
		game.startAt(epochs[2])
		p := child.Start(t, "pong", path, name, fmt.Sprint(rounds(2)))
		finishes(t, name+" ping-pong", func() {
			if err := game.play(0, rounds(2), f.publish, f.barrier); err != nil {
				t.Error(err)
			}
		})
		if err := p.Wait(); err != nil {
			t.Errorf("%s: pong: %v", name, err)
		}
		if n := atomic.LoadUint64(&game.turn[1].n); n != rounds(2) {
			t.Errorf("%s: pong got to %d of %d", name, n, rounds(2))
		}
	}
}

// A flag forgets a killed sleeper at the next wake; a count never would.
func TestKilledSleeperCostsOneWake(t *testing.T) {
	path, e := eventIn(t)
	for range 3 {
		sleeperOn(t, path).Kill()
		if !e.Notify() {
			t.Error("the bit of the killed sleeper is gone before any wake")
		}
		if e.Parked() || e.Notify() {
			t.Error("the killed sleeper costs more than one wake")
		}
	}
}

// A stopped sleeper keeps nobody else from being woken.
func TestStoppedSleeperBlocksNobody(t *testing.T) {
	path, e := eventIn(t)
	stopped := sleeperOn(t, path)
	if err := stopped.Stop(); err != nil {
		t.Fatal(err)
	}
	other := sleeperOn(t, path)
	e.Notify()
	other.Expect("woken")
	if err := stopped.Cont(); err != nil {
		t.Fatal(err)
	}
	stopped.Expect("woken")
	if err := e.Wait(e.Prepare(), 0); !errors.Is(err, os.ErrDeadlineExceeded) && err != nil {
		t.Error(err)
	}
}
