package ring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/layout"
	"ringway/shm"
)

// lockSeat takes a seat's first lock as somebody does who is just settling it, and returns
// what gives it back.
func lockSeat(t *testing.T, s *shm.Segment, seat int) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", s.File().Fd()), os.O_RDWR, 0)
	wantErr(t, "open", err, nil)
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: layout.LockByte(seat), Len: 1}
	wantErr(t, "lock", unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l), nil)
	return func() { wantErr(t, "unlock", f.Close(), nil) }
}

// inDoubt is a ring whose only message was in the hands of a consumer that died.
func inDoubt(t *testing.T) (s *shm.Segment, c *Consumer[uint64], seat int) {
	t.Helper()
	s = blocksOf(t, 8, 1)
	p := mustProducer[uint64](t, s, nil)
	c = mustConsumer[uint64](t, s, nil)
	mustPush(t, p, 7)
	seat = leaveOrphan(t, s)
	die(s, seat)
	c.x.orphans = s.Control().Orphans.Load() // it has looked, in vain
	_, err := c.TryPop()
	wantErr(t, "TryPop", err, ErrEmpty)
	return s, c, seat
}

// Wait over several ends finds what the dead left, although nobody reaps or tells.
func TestWaitFindsTheDead(t *testing.T) {
	for _, n := range []int{2, 130} { // more than futex_waitv takes: it polls
		_, c, _ := inDoubt(t)
		quiet := mustConsumer[uint64](t, blocksOf(t, 8, 1), nil)
		_, err := quiet.TryPop() // or it had yet to look for orphans
		wantErr(t, "TryPop of an empty ring", err, ErrEmpty)
		ends := make([]End, n)
		for i := range ends {
			ends[i] = quiet
		}
		ends[n-1] = c
		finishes(t, "Wait", func() {
			if i, err := Wait(t.Context(), ends...); i != n-1 || err != nil {
				t.Errorf("%d ends: Wait = %d, %v", n, i, err)
			}
		})
		mustPop(t, c, 7, true)
	}
}

// A consumer that only polls finds it too, at once with its first look; between two looks
// lie as many tries as the look took nanoseconds, or more.
func TestPollerFindsTheDead(t *testing.T) {
	_, c, _ := inDoubt(t)
	tries := 0
	for {
		v, err := c.TryPop()
		tries++
		if err == nil {
			if v != 7 || !c.Redelivered() {
				t.Errorf("TryPop = %d, redelivered %v", v, c.Redelivered())
			}
			break
		}
		wantErr(t, "TryPop", err, ErrEmpty)
		if tries > 2*idleTries {
			t.Fatalf("%d tries have found nothing", tries)
		}
	}
	if tries < idleTries {
		t.Errorf("found after %d tries, not before %d were asked to look", tries, idleTries)
	}
	for range 3 { // and again
		c.x.empty = 0
		_, err := c.TryPop()
		if wantErr(t, "TryPop", err, ErrEmpty); c.x.empty < idleTries {
			t.Errorf("a look is followed by %d tries without one", c.x.empty)
		}
	}
	for _, took := range []time.Duration{0, 1, idleTries - 1, idleTries + 1, time.Millisecond, time.Second} {
		if n := triesAfter(took); time.Duration(n) < took || n < idleTries {
			t.Errorf("a look that took %v is followed by %d tries without one: more than 1 ns for each", took, n)
		}
	}
	t.Logf("found after %d tries", tries)
}

// A blocked call that never parks finds it as well.
func TestSpinnerFindsTheDead(t *testing.T) {
	s, _, _ := inDoubt(t)
	p := mustProducer[uint64](t, s, nil)
	c := mustConsumer[uint64](t, s, &Options{Spin: -1})
	// The new consumer sat down in the dead one's seat and has its message. Another one dies.
	mustPop(t, c, 7, true)
	mustPush(t, p, 8)
	die(s, leaveOrphan(t, s))
	c.x.orphans = s.Control().Orphans.Load()
	finishes(t, "Pop", func() {
		if v, err := c.Pop(t.Context()); v != 8 || err != nil || !c.Redelivered() {
			t.Errorf("Pop = %d, %v, redelivered %v", v, err, c.Redelivered())
		}
	})
}

// A ring that was shut down has not ended while somebody may yet turn up a dead
// consumer's message, and has when it is settled.
func TestEndWaitsForTheUnsettled(t *testing.T) {
	for _, state := range []uint32{layout.SeatTaken, layout.SeatOrphan} {
		s, c, seat := inDoubt(t)
		layout.SeatsAt(s.Memory(), s.Spec().Seats)[seat].State.Store(state)
		unlock := lockSeat(t, s, seat)
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		for range 3 {
			_, err := c.TryPop()
			wantErr(t, "TryPop while somebody settles a seat", err, ErrEmpty)
		}
		if c.ready.look() {
			t.Error("a blocked call does not wait, it spins")
		}
		got := make(chan uint64, 1)
		go func() {
			v, err := c.Pop(background)
			if err != nil || !c.Redelivered() {
				t.Errorf("Pop = %v, redelivered %v", err, c.Redelivered())
			}
			got <- v
		}()
		until(t, "Pop sleeps", func() bool { return statsOf(s).Parks > 0 })
		select {
		case v := <-got:
			t.Fatalf("Pop = %d while somebody settles the seat", v)
		default:
		}
		unlock()
		finishes(t, "Pop", func() {
			if v := <-got; v != 7 {
				t.Errorf("Pop = %d", v)
			}
		})
		_, err := c.Pop(background)
		wantErr(t, "Pop after the last", err, shm.ErrClosed)
	}
}

// A seat that cannot hold a message does not hold up the end, nor does a living consumer
// with one in hand, whose it is.
func TestEndDoesNotWaitForOthers(t *testing.T) {
	s := blocksOf(t, 8, 1)
	p, c, busy := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil), mustConsumer[uint64](t, secondSegment(t, s), nil)
	mustPush(t, p, 7)
	if _, err := busy.Peek(); err != nil {
		t.Fatal(err)
	}
	gone, err := NewProducer[uint64](s, nil)
	wantErr(t, "NewProducer", err, nil)
	seat := gone.seat.Index
	wantErr(t, "Close", gone.Close(), nil)
	die(s, seat)
	unlock := lockSeat(t, s, seat)
	wantErr(t, "Shutdown", s.Shutdown(), nil)
	_, err = c.TryPop()
	wantErr(t, "TryPop", err, shm.ErrClosed)
	unlock()
	busy.Release()
	_, err = busy.TryPop()
	wantErr(t, "TryPop", err, shm.ErrClosed)
}

// While a reaper has the last free seat in hand, taking it is a matter of waiting a moment.
func TestTakeBesideReaper(t *testing.T) {
	spec := exchangeSpec[pair](t, 4, 1)
	spec.Seats = 2
	s := exchangeSegment(t, plainBed(t), spec, 0)
	other := secondSegment(t, s)
	mustProducer[pair](t, s, nil)
	for range 2000 {
		die(s, 1)
		done := make(chan error, 1)
		go func() {
			_, err := other.Reap()
			done <- err
		}()
		c, err := NewConsumer[pair](s, nil)
		wantErr(t, "NewConsumer", err, nil)
		wantErr(t, "Reap", <-done, nil)
		wantErr(t, "Close", c.Close(), nil)
	}
	unlock := lockSeat(t, s, 1)
	_, err := NewConsumer[pair](s, nil)
	if !isOneLine(err, shm.ErrBusy) {
		t.Errorf("NewConsumer while somebody is stopped with the last seat in hand: %v", err)
	}
	t.Log(err)
	began, answer := make(chan struct{}), make(chan error, 1)
	go func() {
		close(began)
		c, err := NewConsumer[pair](s, nil)
		if err == nil {
			err = c.Close()
		}
		answer <- err
	}()
	<-began
	for range 100 {
		runtime.Gosched()
	}
	unlock()
	finishes(t, "NewConsumer", func() { wantErr(t, "NewConsumer once it is free", <-answer, nil) })
	full := mustConsumer[pair](t, s, nil)
	asked := time.Now()
	_, err = NewConsumer[pair](other, nil)
	if !errors.Is(err, shm.ErrBusy) {
		t.Errorf("NewConsumer with all seats taken: %v", err)
	}
	t.Logf("refused by living owners after %v", time.Since(asked))
	_ = full
}
