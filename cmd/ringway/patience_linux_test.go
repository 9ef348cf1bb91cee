package main

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// Polls in vain become rare, and one that helps makes them usual again; who asked for
// polling gets it always.
func TestPollsInVain(t *testing.T) {
	s, err := shm.Heap(layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 4096, Seats: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, err := ring.NewMsgProducer(s, nil) // an empty ring: its waits end at once
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// polls makes n calls that are refused until their waits have slept, and counts those
	// that polled before.
	polls := func(w *patience, n int) (polled int) {
		for range n {
			if err := w.wait(p); err != nil {
				t.Fatal(err)
			}
			if !w.until.IsZero() {
				polled++
				for !time.Now().After(w.until) {
					atomic.AddInt64(new(int64), 1)
				}
				if err := w.wait(p); err != nil {
					t.Fatal(err)
				}
			}
			w.served()
		}
		return polled
	}
	stop := &stopper{Context: context.Background()}
	thrifty := patience{stop: stop, spin: time.Microsecond, thrifty: true}
	if n := polls(&thrifty, 1000); n < 2 || n > 12 {
		t.Errorf("%d of 1000 waits polled in vain", n)
	}
	thrifty.skip = 0
	if err := thrifty.wait(p); err != nil || thrifty.until.IsZero() {
		t.Fatalf("no poll, %v", err)
	}
	thrifty.served() // it helped
	if n := polls(&thrifty, 1); n != 1 {
		t.Error("no poll after one that helped")
	}
	if n := polls(&patience{stop: stop, spin: time.Microsecond}, 100); n != 100 {
		t.Errorf("%d of 100 waits polled as told", n)
	}
}
