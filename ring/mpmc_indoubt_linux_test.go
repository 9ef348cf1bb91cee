//go:build failpoint

package ring

import (
	"testing"

	"ringway/internal/failpoint"
)

// holdAt makes whoever hits a point in this process wait there until let is called.
func holdAt(t *testing.T, at failpoint.Point) (reached <-chan struct{}, let func()) {
	there, on := make(chan struct{}), make(chan struct{})
	failpoint.Hook = func(p failpoint.Point) {
		if p == at {
			close(there)
			<-on
		}
	}
	t.Cleanup(func() { failpoint.Hook = nil })
	return there, func() { close(on) }
}

// Somebody died behind its swap, and a living peer that has swapped its block out again stands still
// before it says so. The dead one's seat waits; nobody else does.
func TestFailpointInDoubt(t *testing.T) {
	needSegments(t)
	for n, role := range []string{"produce", "consume"} {
		t.Run(role, func(t *testing.T) {
			x := newTorture(t, exchangeSpec[labelled](t, 1, 1), 2, newRand(seed(t), uint64(n)), true)
			const id = journalIDs - 1 // of what is pushed here
			p, c := mustEnd(t, func() (*Producer[labelled], error) { return NewProducer[labelled](x.s, nil) }),
				mustEnd(t, func() (*Consumer[labelled], error) { return NewConsumer[labelled](x.s, nil) })
			wantErr(t, "TryPop", second(c.TryPop()), ErrEmpty) // it has looked for orphans
			var dies, waits failpoint.Point
			var peer func() error
			var got labelled
			if role == "produce" {
				dies, waits = failpoint.SendExchanged, failpoint.TakeExchanged
				peer = func() (err error) { got, err = c.TryPop(); return err }
			} else {
				wantErr(t, "TryPush", p.TryPush(label(id, 0)), nil)
				dies, waits = failpoint.TakeExchanged, failpoint.SendExchanged
				peer = func() error { return p.TryPush(label(id, 1)) }
			}
			victim := x.start(role, victimLine, dies.String(), 1, "kill")
			if !hits(victim, "kill") {
				t.Fatalf("the child does not come to %v", dies)
			}
			x.died(victim, victimLine)
			reached, let := holdAt(t, waits)
			done := make(chan error, 1)
			go func() { done <- peer() }()
			awaitDone(t, "the peer", reached)
			for range 2 {
				if n, err := x.s.Reap(); n != 0 || err != nil {
					t.Errorf("Reap = %d, %v, want the question left open", n, err)
				}
			}
			if n := deadSeats(t, x.s); n != 1 {
				t.Errorf("%d seats are in doubt, want 1", n)
			}
			failpoint.Hook = nil // safe: the peer is past it and waits in its own copy
			more := mustEnd(t, func() (*Producer[labelled], error) { return NewProducer[labelled](x.s, nil) })
			taker := mustEnd(t, func() (*Consumer[labelled], error) { return NewConsumer[labelled](x.s, nil) })
			var want []labelled
			if role == "produce" { // the ring is empty
				wantErr(t, "TryPush beside a seat in doubt", more.TryPush(label(id, 2)), nil)
				want = []labelled{label(id, 2)}
			} else { // it holds what the peer sent
				want = []labelled{label(id, 1), label(id, 2)}
			}
			for i, w := range want {
				if v, err := taker.TryPop(); v != w || err != nil || taker.Redelivered() {
					t.Errorf("TryPop beside a seat in doubt = %x, %v, want %x", v, err, w)
				}
				if i+1 < len(want) {
					wantErr(t, "TryPush beside a seat in doubt", more.TryPush(want[i+1]), nil)
				}
			}
			let()
			wantErr(t, "the peer", <-done, nil)
			if n, err := x.s.Reap(); n != 1 || err != nil {
				t.Errorf("Reap = %d, %v, want the seat settled", n, err)
			}
			if role == "produce" {
				if got != label(0, 0) || c.Redelivered() {
					t.Errorf("the peer got %x", got)
				}
			} else if v, err := taker.TryPop(); v != label(id, 0) || err != nil || !taker.Redelivered() {
				t.Errorf("the dead consumer's message: %x, %v, redelivered %v", v, err, taker.Redelivered())
			}
			if st := statsOf(x.s); st.Reaped != 1 {
				t.Errorf("%d seats are called settled, want 1", st.Reaped)
			}
			for _, e := range []interface{ Close() error }{p, c, more, taker} {
				wantErr(t, "Close", e.Close(), nil)
			}
			if err := conserved(x.s); err != nil {
				t.Error("blocks:", err)
			}
			wantErr(t, "Close", x.file.Close(), nil)
			wantErr(t, "Close", x.s.Close(), nil)
		})
	}
}
