package ring

import (
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// A take that was meant and lost leaves a version a lap ahead of all sends. Who sits down
// on that seat to send must put it back, or it would pass for a later gift of the block than
// the send, and recovery would call that send done.
func TestSenderForgetsALostTake(t *testing.T) {
	spec, err := Spec[uint64](layout.MPMC, 4)
	if err != nil {
		t.Fatal(err)
	}
	spec.Seats = 2
	s, err := shm.CreateTemp(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := s.Header()
	sent, freed := layout.VersionsAt(s.Memory(), &h.Geometry)
	for round := range uint64(10) {
		seats := layout.SeatsAt(s.Memory(), spec.Seats)
		own := layout.SeatRec(seats[0].Rec).Give()
		freed[own] = 2 * (round + 4) // a take at the position of this round
		p, err := NewProducer[uint64](s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.x.own != own {
			t.Fatalf("round %d: the producer owns block %d, its seat had %d", round, p.x.own, own)
		}
		if err := p.TryPush(round); err != nil {
			t.Fatal(err)
		}
		if freed[own] >= sent[own] || sent[own] != 2*round+1 {
			t.Errorf("round %d: block %d was sent at %d and says it was given back at %d", round, own, sent[own], freed[own])
		}
		c, err := NewConsumer[uint64](s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.TryPop(); v != round || err != nil {
			t.Fatalf("round %d: %d, %v", round, v, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
