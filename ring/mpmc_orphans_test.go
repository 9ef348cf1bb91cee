package ring

import (
	"sync"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// die makes the seat of a closed end look as if its owner had been killed.
func die(s *shm.Segment, seat int) {
	layout.SeatsAt(s.Memory(), s.Spec().Seats)[seat].State.Store(layout.SeatTaken)
}

// leaveOrphan lets a consumer go with the oldest message in hand.
func leaveOrphan(t testing.TB, s *shm.Segment) (seat int) {
	t.Helper()
	c, err := NewConsumer[uint64](s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Peek(); err != nil {
		t.Fatal(err)
	}
	seat = c.seat.Index
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return seat
}

// Redelivered speaks for what the call returned, not for what it saw next.
func TestRedeliveredOfBatch(t *testing.T) {
	s := blocksOf(t, 8, 1)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	mustPush(t, p, 1, 2)
	if _, err := c.Peek(); err != nil { // in hand before there is an orphan
		t.Fatal(err)
	}
	leaveOrphan(t, s)
	dst := make([]uint64, 4)
	if n, err := c.TryPopN(dst); n != 1 || dst[0] != 1 || err != nil || c.Redelivered() {
		t.Fatalf("TryPopN = %d %v, %v, redelivered %v", n, dst, err, c.Redelivered())
	}
	if n, err := c.TryPopN(dst); n != 1 || dst[0] != 2 || err != nil || !c.Redelivered() {
		t.Fatalf("TryPopN = %d %v, %v, redelivered %v", n, dst, err, c.Redelivered())
	}
}

// A blocked consumer finds what the dead left, although nobody reaps or tells it.
func TestParkedConsumerFindsTheDead(t *testing.T) {
	for name, leave := range map[string]func(s *shm.Segment, seat int){
		"owner killed":   die,
		"adopter killed": func(*shm.Segment, int) {},
	} {
		s := blocksOf(t, 8, 1)
		p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
		mustPush(t, p, 7)
		seat := leaveOrphan(t, s)
		leave(s, seat)
		c.x.orphans = s.Control().Orphans.Load() // it has looked, in vain
		finishes(t, name+": Pop", func() {
			if v, err := c.Pop(t.Context()); v != 7 || err != nil || !c.Redelivered() {
				t.Errorf("%s: Pop = %d, %v, redelivered %v", name, v, err, c.Redelivered())
			}
		})
	}
}

// A consumer that closes tells the others of an adopted message.
func TestAdopterCloses(t *testing.T) {
	s := blocksOf(t, 8, 1)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	adopter, err := NewConsumer[uint64](s, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustPush(t, p, 7)
	leaveOrphan(t, s)
	if _, err := adopter.Peek(); err != nil {
		t.Fatal(err)
	}
	_, err = c.TryPop()
	wantErr(t, "TryPop while somebody else has it", err, ErrEmpty)
	if err := adopter.Close(); err != nil {
		t.Fatal(err)
	}
	mustPop(t, c, 7, true)
}

// Reap tells of a message whose adopter was killed, even consumers that never park.
func TestReapTellsOfOrphans(t *testing.T) {
	s := blocksOf(t, 8, 1)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	mustPush(t, p, 7)
	leaveOrphan(t, s)
	c.x.orphans = s.Control().Orphans.Load() // it has looked, while somebody had the lock
	_, err := c.TryPop()
	wantErr(t, "TryPop", err, ErrEmpty)
	if n, err := s.Reap(); n != 0 || err != nil {
		t.Fatalf("Reap = %d, %v", n, err)
	}
	mustPop(t, c, 7, true)
}

// An orphan that is told of while its seat's lock is still held is told of again.
func TestOrphanToldAfterUnlock(t *testing.T) {
	s := blocksOf(t, 8, 1)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	other, err := shm.OpenFile(s.File())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var ends sync.WaitGroup
	defer ends.Wait()
	for i := range uint64(2000) {
		mustPush(t, p, i)
		l, err := NewConsumer[uint64](other, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Peek(); err != nil {
			t.Fatal(err)
		}
		ends.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
		until(t, "the orphan is found", func() bool {
			for range 1000 { // without a sleep: this is about the moment of the Close
				if v, err := c.TryPop(); err == nil {
					if v != i || !c.Redelivered() {
						t.Errorf("popped %d, want %d, redelivered %v", v, i, c.Redelivered())
					}
					return true
				}
			}
			return false
		})
		ends.Wait()
	}
}
