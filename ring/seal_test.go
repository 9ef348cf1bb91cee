package ring

import (
	"fmt"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// A caller of Shutdown that dies leaves the ring ended from its first store on:
// those who sleep find out within a bounded park, and agree on the end themselves.
func TestShutdownCutShort(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for step := range 4 { // the stores of Shutdown that were made, beyond the state
			t.Run(fmt.Sprint("step ", step), func(t *testing.T) { t.Parallel(); cutShort(t, b, step) })
		}
	})
}

func cutShort(t *testing.T, b bed, step int) {
	s := startAt(b.segment(t, specOf[pair](t, 2)), starts[4])
	p, c := mustProducer[pair](t, s, &Options{Spin: 1}), mustConsumer[pair](t, s, nil)
	empty := b.segment(t, specOf[pair](t, 2))
	ec := mustConsumer[pair](t, empty, &Options{Spin: 1})
	var pushed uint64
	done := make(chan struct{}, 2)
	var perr, cerr error
	go func() { pushed, perr = count(p, byAll); done <- struct{}{} }() // fills it and parks
	go func() { _, cerr = ec.Pop(background); done <- struct{}{} }()   // parks
	until(t, "both are parked", func() bool { return statsOf(s).Parks > 0 && statsOf(empty).Parks > 0 })
	for _, s := range []*shm.Segment{s, empty} {
		s.Control().State.CompareAndSwap(layout.StateOpen, layout.StateShutdown)
		notEmpty, notFull := s.Events()
		if step > 0 {
			notEmpty.Alert()
		}
		if step > 1 {
			s.Control().Seal.CompareAndSwap(0, layout.PackSeal(loadPosition(&s.Control().Tail)))
		}
		if step > 2 {
			notEmpty.Interrupt()
			_ = notFull // died before the second
		}
	}
	for range 2 {
		awaitDone(t, fmt.Sprintf("an end after step %d of Shutdown", step), done)
	}
	if taken, err := drain(c, byTry); pushed != 2 || taken != pushed || perr != shm.ErrClosed || err != shm.ErrClosed || cerr != shm.ErrClosed {
		t.Errorf("step %d: pushed %d (%v), taken %d (%v), the empty ring says %v", step, pushed, perr, taken, err, cerr)
	}
}

// A producer whose push was stored but not answered when the seal came, and its
// successor: what lies behind the seal is never seen.
func TestRefusedPushIsNeverSeen(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			s := startAt(b.segment(t, specOf[pair](t, 8)), start)
			p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
			for n := range uint64(3) {
				wantErr(t, "TryPush", p.TryPush(pairOf(n)), nil)
			}
			// The sealer has read the tail and not stored the seal; the push comes between.
			s.Control().State.Store(layout.StateShutdown)
			notEmpty, _ := s.Events()
			notEmpty.Alert()
			s.Control().Seal.Store(layout.PackSeal(loadPosition(&s.Control().Tail)))
			wantErr(t, "TryPush behind the seal", p.TryPush(pairOf(3)), shm.ErrClosed)
			wantErr(t, "TryPushN after it", second(p.TryPushN([]pair{pairOf(3)})), shm.ErrClosed)
			wantErr(t, "Close", p.Close(), nil)
			next := mustProducer[pair](t, s, nil)
			wantErr(t, "TryPush of the next producer", next.TryPush(pairOf(3)), shm.ErrClosed)
			if st := c.Stats(); st.Len != 3 || st.Tail != start+3 {
				t.Errorf("Stats with a refused push: %+v", st)
			}
			if taken, err := drain(c, byBatch); taken != 3 || err != shm.ErrClosed {
				t.Errorf("drained %d, %v, want 3", taken, err)
			}
		}
	})
}

// A batch after Shutdown is as long as any: what there is, up to the end.
func TestBatchAfterShutdown(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[pair](t, 8))
		p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
		wantErr(t, "TryPush", p.TryPush(pairOf(0)), nil)
		wantErr(t, "Peek", second(c.Peek()), nil) // it knows of one
		for n := range uint64(3) {
			wantErr(t, "TryPush", p.TryPush(pairOf(1+n)), nil)
		}
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		if n, err := c.TryPopN(make([]pair, 8)); n != 4 || err != nil {
			t.Errorf("TryPopN with 4 elements there = %d, %v", n, err)
		}
	})
}
