//go:build linux

package shm_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

func TestRecoveryAdoption(t *testing.T) {
	d := newDead(t)
	// Seat 0 held message 7 in block 4 with two elements released, seat 1 had just taken one.
	d.leaves(0, layout.RecUnacked, 4, 0, 0)
	d.seats[0].Part = 2
	d.slot(2*(1+slots), 5)
	d.given(5, 2*(1+slots))
	d.given(1, 3)
	d.leaves(1, layout.RecTaking, 5, 1, 3)
	d.seats[1].Part = 6 // of an earlier block

	p := take(t, d.s, layout.RoleProducer) // gets no seat with a message in it
	if p.Index != 2 || p.Unacked {
		t.Fatalf("a producer got seat %d, unacked %v", p.Index, p.Unacked)
	}
	d.owns("settled", 0, 4, true)
	d.owns("settled", 1, 1, true)
	d.conserved("settled")
	if a, b := d.seats[0].Part, d.seats[1].Part; a != 2 || b != 0 {
		t.Errorf("%d and %d elements are called released, want 2 and 0", a, b)
	}
	c := take(t, d.s, layout.RoleConsumer) // sits down where a message waits
	if c.Index != 0 || !c.Unacked || c.Block != 4 || c.Line.Part != 2 {
		t.Fatalf("a consumer got seat %d, block %d, unacked %v, part %d", c.Index, c.Block, c.Unacked, c.Line.Part)
	}
	o := adopt(t, d.s)
	if o == nil || o.Block != 1 || o.Line != &d.seats[1] {
		t.Fatalf("Adopt = %+v, want block 1 of seat 1", o)
	}
	if again := adopt(t, d.s); again != nil {
		t.Fatalf("Adopt gave %+v away twice", again)
	}
	other, err := shm.OpenFile(d.s.File())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if taken := adopt(t, other); taken != nil {
		t.Fatalf("another process adopted %+v at the same time", taken)
	}
	if err := o.Drop(); err != nil { // to the next
		t.Fatal(err)
	}
	if o = adopt(t, other); o == nil || o.Block != 1 {
		t.Fatalf("Adopt after Drop = %+v", o)
	}
	if err := o.Release(); err != nil {
		t.Fatal(err)
	}
	d.owns("delivered", 1, 1, false)
	if o := adopt(t, d.s); o != nil {
		t.Fatalf("Adopt = %+v after the last was delivered", o)
	}
	leave(t, c) // with its message still in hand
	d.owns("left", 0, 4, true)
	if o = adopt(t, d.s); o == nil || o.Block != 4 || o.Line.Part != 2 {
		t.Fatalf("Adopt = %+v, want block 4, two elements released", o)
	}
	// An adopter dies behind its record: the seat says delivered, and is free to take.
	if err := o.Release(); err != nil {
		t.Fatal(err)
	}
	d.seats[0].State.Store(layout.SeatOrphan)
	if o := adopt(t, d.s); o != nil {
		t.Fatalf("Adopt = %+v, want nothing: it was delivered", o)
	}
	q := take(t, d.s, layout.RoleProducer)
	if q.Index != 0 || q.Unacked || q.Block != 4 {
		t.Errorf("took seat %d, block %d, unacked %v, want 0, 4 and false", q.Index, q.Block, q.Unacked)
	}
	leave(t, q)
	leave(t, p)
	d.conserved("in the end")
}

func adopt(t *testing.T, s *shm.Segment) *shm.Orphan {
	t.Helper()
	o, err := s.Adopt()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// What no owner leaves behind makes the ring corrupt, and whoever finds it gets an error.
func TestRecoveryRefusesDamage(t *testing.T) {
	for name, rec := range map[string]layout.SeatRec{
		"no kind":        layout.MakeSeatRec(0, 4, 0),
		"unknown kind":   layout.MakeSeatRec(9, 4, 0),
		"give too large": layout.MakeSeatRec(layout.RecHeld, slots+seats, 0),
		"get too large":  layout.MakeSeatRec(layout.RecSending, 4, slots+seats),
	} {
		for _, way := range []string{"Reap", "Take", "Adopt"} {
			d := newDead(t)
			d.leaves(0, layout.RecHeld, 4, 0, 0)
			atomic.StoreUint64(&d.seats[0].Rec, uint64(rec))
			var err error
			switch way {
			case "Reap":
				_, err = d.s.Reap()
			case "Take":
				_, err = d.s.Take(layout.RoleConsumer, "test")
			case "Adopt":
				_, err = d.s.Adopt()
			}
			if !errors.Is(err, layout.ErrCorrupt) || d.s.Control().State.Load() != layout.StateCorrupt || d.s.Control().Reason.Load() != layout.ReasonSeat {
				t.Errorf("%s, %s: %v, state %d, reason %d", name, way, err, d.s.Control().State.Load(), d.s.Control().Reason.Load())
			}
		}
	}
}
