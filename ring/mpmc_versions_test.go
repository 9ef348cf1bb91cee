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

// A message found in its slot, taken since, whose taker left and whose block is in the hands
// of a producer that sat down there: the copy is not believed, though the hint says nothing.
func TestLastBlocksTakenOverByAProducer(t *testing.T) {
	s := blocksOf(t, 1024, 1)
	p := mustProducer[uint64](t, s, nil)
	mustPush(t, p, 7, 8)
	o := newBlockObserver(s)
	_, o.tail = findPositions(s)
	all := o.inSlots(10)
	if len(all) != 2 || all[1].pos != 0 {
		t.Fatalf("in slots: %+v", all)
	}
	c, err := NewConsumer[uint64](s, nil)
	wantErr(t, "NewConsumer", err, nil)
	mustPop(t, c, 7, false)
	block := c.x.own
	wantErr(t, "Close", c.Close(), nil)
	if got := o.copy(all[1]); len(got) != 1 || got[0].Data[0] != 7 {
		t.Fatalf("while nobody has touched the block: %+v", got)
	}
	q := mustProducer[uint64](t, s, nil)
	if q.x.own != block || block != all[1].block {
		t.Fatalf("the producer has block %d, the consumer had %d, the message %d", q.x.own, block, all[1].block)
	}
	v, err := q.Reserve()
	wantErr(t, "Reserve", err, nil)
	*v = 9
	if got := o.copy(all[1]); got != nil {
		t.Errorf("a copy of a block that a producer fills: %+v", got)
	}
	wantErr(t, "Commit", q.Commit(), nil)
	c = mustConsumer[uint64](t, s, nil)
	mustPop(t, c, 8, false)
	mustPop(t, c, 9, false)
}

// A block that was to be sent and never was does not move who sits down there past its position.
func TestSenderSitsOnAnUnsentBlock(t *testing.T) {
	s := blocksOf(t, 1024, 1)
	h := s.Header()
	sent, freed := layout.VersionsAt(s.Memory(), &h.Geometry)
	own := layout.SeatRec(layout.SeatsAt(s.Memory(), s.Spec().Seats)[0].Rec).Give()
	for _, pos := range []uint64{0, 1, 1023, 1 << 40, 1<<63 - 1} { // and what no producer wrote
		sent[own] = 2*pos + 1
		p, err := NewProducer[uint64](s, nil)
		wantErr(t, "NewProducer", err, nil)
		if p.x.pos != 0 || freed[own] != 0 {
			t.Errorf("sent at %d: begins at %d, and says it was freed at %d", pos, p.x.pos, freed[own])
		}
		wantErr(t, "Close", p.Close(), nil)
	}
}
