package ring

import (
	"runtime"
	"sync"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// What was done before a pop is visible behind the push that got its room, whichever end
// lies in which goroutine: so a ring of one slot is a lock. The race detector watches.
func TestPopOrdersWhatWasBeforeIt(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		s := exchangeSegment(t, b, exchangeSpec[uint64](t, 1, 1), 0)
		const each, goroutines = 30_000, 2
		plain := 0 // belongs to whoever pushed last
		var ends sync.WaitGroup
		for range goroutines {
			p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
			ends.Go(func() {
				for range each {
					for p.TryPush(1) == ErrFull {
						runtime.Gosched()
					}
					plain++
					if _, err := c.TryPop(); err != nil {
						t.Errorf("TryPop: %v", err)
						return
					}
				}
			})
		}
		finishes(t, "all", ends.Wait)
		if plain != each*goroutines {
			t.Errorf("%d of %d turns", plain, each*goroutines)
		}
	})
}

// A message that its first consumer left behind still brings what its sender wrote before the
// push, to a consumer that shares nothing with the first but the mapping.
func TestOrphanOrdersWhatWasBeforeItsPush(t *testing.T) {
	needSegments(t)
	s := exchangeSegment(t, bed{fence: layout.Full}, exchangeSpec[uint64](t, 4, 1), 0)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	for _, sits := range []bool{false, true} { // on the first one's seat, or adopts from its own
		other, err := shm.OpenFile(s.File())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { wantErr(t, "Close", other.Close(), nil) })
		var d *Consumer[uint64]
		if !sits {
			d = mustConsumer[uint64](t, other, nil)
		}
		plain, left := 0, make(chan error, 1)
		seat := c.seat.Line
		go func() {
			plain = 1
			err := p.TryPush(1)
			if err == nil {
				_, err = c.Peek()
			}
			if err == nil {
				plain = 2
				err = c.Close()
			}
			left <- err
		}()
		until(t, "the first consumer to leave", func() bool { return seat.State.Load() == layout.SeatOrphan })
		if sits {
			d = mustConsumer[uint64](t, other, nil)
		}
		until(t, "its message", func() bool { _, err := d.TryPop(); return err == nil })
		if plain != 2 || !d.Redelivered() {
			t.Errorf("%d written, redelivered %v", plain, d.Redelivered())
		}
		if err := <-left; err != nil {
			t.Error(err)
		}
		c = d
	}
}
