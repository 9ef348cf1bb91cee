//go:build linux

package shm_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// The rings of these tests have 4 slots and 4 seats, so blocks 0 to 3 begin in the
// slots and 4 to 7 in the seats.
const (
	slots = 4
	seats = 4
)

var exchange = layout.Spec{Kind: layout.MPMC, Payload: layout.Fixed, Cap: slots, Elem: layout.Elem{Size: 8, Align: 8}, Pack: 8, Seats: seats, Fence: layout.Full}

// dead is an MPMC ring whose words a test writes as if some owners had died.
type dead struct {
	t     *testing.T
	s     *shm.Segment
	codec layout.SlotCodec
	words []uint64
	seats []layout.Seat
}

func newDead(t *testing.T) *dead {
	s, err := shm.CreateTemp(exchange)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, s)
	h := s.Header()
	return &dead{t, s, h.Geometry.SlotCodec(), layout.WordsAt(s.Memory(), &h.Geometry), layout.SeatsAt(s.Memory(), seats)}
}

// given says at which version a block was last given away, whoever did.
func (d *dead) given(block, version uint64) {
	h := d.s.Header()
	sent, freed := layout.VersionsAt(d.s.Memory(), &h.Geometry)
	if sent[block], freed[block] = version, 0; version&1 == 0 {
		sent[block], freed[block] = 0, version
	}
}

func (d *dead) slot(version, block uint64) {
	atomic.StoreUint64(&d.words[version>>1%slots], uint64(d.codec.Pack(version, block)))
}

// leaves writes what the owner of a seat had recorded when it was killed.
func (d *dead) leaves(seat, kind int, give, get, ver uint64) {
	line := &d.seats[seat]
	line.Role.Store(uint32(layout.RoleConsumer))
	line.State.Store(layout.SeatTaken)
	atomic.StoreUint64(&line.Ver, ver)
	atomic.StoreUint64(&line.Rec, uint64(layout.MakeSeatRec(kind, give, get)))
}

func (d *dead) rec(seat int) layout.SeatRec {
	return layout.SeatRec(atomic.LoadUint64(&d.seats[seat].Rec))
}

// owns checks what a seat turned out to own.
func (d *dead) owns(what string, seat int, block uint64, message bool) {
	d.t.Helper()
	kind, state := layout.RecHeld, uint32(layout.SeatFree)
	if message {
		kind, state = layout.RecUnacked, layout.SeatOrphan
	}
	if rec, st := d.rec(seat), d.seats[seat].State.Load(); rec != layout.MakeSeatRec(kind, block, 0) || st != state {
		d.t.Errorf("%s: seat %d has kind %d, block %d (get %d), state %d, want kind %d, block %d, state %d",
			what, seat, rec.Kind(), rec.Give(), rec.Get(), st, kind, block, state)
	}
}

// conserved checks that every block is in exactly one slot or seat.
func (d *dead) conserved(what string) {
	d.t.Helper()
	where := map[uint64]string{}
	put := func(block uint64, at string) {
		if where[block] != "" || block >= slots+seats {
			d.t.Errorf("%s: block %d is in %s and in %s", what, block, where[block], at)
		}
		where[block] = at
	}
	for i, w := range d.words {
		_, block := d.codec.Unpack(layout.SlotWord(w), uint64(i))
		put(block, fmt.Sprint("slot ", i))
	}
	for i := range d.seats {
		put(d.rec(i).Give(), fmt.Sprint("seat ", i))
	}
	if len(where) != slots+seats {
		d.t.Errorf("%s: %d blocks of %d are left", what, len(where), slots+seats)
	}
}

// Every exchange in this table is of seat 0, which gives block 4. Position 1 is what it
// is about: the slot has version before, and block get in it.
func TestRecoveryJudges(t *testing.T) {
	const give, get = 4, 1
	for _, kind := range []int{layout.RecSending, layout.RecTaking} {
		before := uint64(2) // free for position 1
		after := before + 1
		if kind == layout.RecTaking {
			before, after = 3, 2*(1+slots) // holds message 1; then free a lap on
		}
		// begun is what the owner has stored before its swap.
		begun := func(d *dead) {
			d.slot(before, get)
			d.given(get, before)
			d.given(give, after)
			d.leaves(0, kind, give, get, before)
		}
		message := kind == layout.RecTaking
		next := after + 1 // the slot's version after one more exchange
		if after&1 == 1 {
			next = after - 1 + 2*slots
		}
		tests := []struct {
			name    string
			happens func(d *dead)
			seat    uint64 // its block, afterwards
			message bool
			unknown bool
		}{
			{"nothing was swapped", func(d *dead) {}, give, false, false},
			{"swapped, nobody came since", func(d *dead) {
				d.slot(after, give)
			}, get, message, false},
			{"somebody else was first", func(d *dead) {
				d.slot(after, 5)
				d.given(5, after)
				d.leaves(1, layout.RecHeld, get, 0, 0)
			}, give, false, false},
			{"swapped, and our block was given on", func(d *dead) {
				// Seat 1 took give out of the slot for 5, and put it into slot 2 for 2.
				d.slot(next, 5)
				d.given(5, next)
				d.slot(5, give)
				d.given(give, 5)
				d.leaves(1, layout.RecHeld, 2, 0, 0)
			}, get, message, false},
			{"somebody else was first, and the block we wanted was given on", func(d *dead) {
				// Seat 1 swapped 5 for get and put get into slot 2; seat 2 moved the slot on.
				d.slot(next, 6)
				d.given(6, next)
				d.slot(5, get)
				d.given(get, 5)
				d.leaves(1, layout.RecHeld, 2, 0, 0)
				d.leaves(2, layout.RecHeld, 5, 0, 0)
			}, give, false, false},
			{"swapped, and somebody has our block", func(d *dead) {
				d.slot(next, 5)
				d.given(5, next)
				d.leaves(1, layout.RecHeld, give, 0, 0)
			}, get, message, false},
			{"swapped, and somebody has our block and its message", func(d *dead) {
				d.slot(next, 5)
				d.given(5, next)
				d.leaves(1, layout.RecUnacked, give, 0, 0)
			}, get, message, false},
			{"somebody else was first, and has the block we wanted", func(d *dead) {
				d.slot(next, 6)
				d.given(6, next)
				d.leaves(1, layout.RecHeld, get, 0, 0)
				d.leaves(2, layout.RecHeld, 5, 0, 0)
			}, give, false, false},
			{"swapped, and somebody who is dead too saw our block in the slot", func(d *dead) {
				d.slot(next, 5)
				d.given(5, next)
				kind := layout.RecTaking
				if after&1 == 0 {
					kind = layout.RecSending
				}
				d.leaves(1, kind, 5, give, after)
			}, get, message, false},
		}
		for _, test := range tests {
			what := fmt.Sprintf("kind %d, %s", kind, test.name)
			for _, twice := range []bool{false, true} {
				d := newDead(t)
				begun(d)
				test.happens(d)
				line := d.rec(0)
				found, err := d.s.ReapSeats()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				outcome := shm.NotTaken
				switch {
				case test.message:
					outcome = shm.Redelivered
				case kind == layout.RecSending && test.seat == get:
					outcome = shm.Sent
				case kind == layout.RecSending:
					outcome = shm.NotSent
				}
				if r := found[0]; r.Seat != 0 || r.Role != layout.RoleConsumer || r.Flight != line || r.Position != 1 || r.Released != 0 || r.Outcome != outcome {
					t.Errorf("%s: reaped %+v, want %v at position 1", what, r, outcome)
				}
				d.owns(what, 0, test.seat, test.message)
				if reapAgain(d); !t.Failed() {
					d.conserved(what)
				}
				d.owns(what+", again", 0, test.seat, test.message)
				if twice && !t.Failed() { // recovery died before its record: the same question, others settled
					d.seats[0].State.Store(layout.SeatTaken)
					atomic.StoreUint64(&d.seats[0].Rec, uint64(line))
					if n, err := d.s.Reap(); n != 1 || err != nil {
						t.Errorf("%s: Reap once more = %d, %v", what, n, err)
					}
					d.owns(what+", judged twice", 0, test.seat, test.message)
					// It died between the record and the state.
					d.seats[0].State.Store(layout.SeatTaken)
					if n, err := d.s.Reap(); n != 1 || err != nil {
						t.Errorf("%s: Reap once more = %d, %v", what, n, err)
					}
					d.owns(what+", cut short", 0, test.seat, test.message)
					d.conserved(what)
				}
			}
		}
	}
}

func reapAgain(d *dead) {
	d.t.Helper()
	if n, err := d.s.Reap(); n != 0 || err != nil {
		d.t.Errorf("a second Reap = %d, %v, want nothing left to settle", n, err)
	}
}

// A living peer between its swap and its next store leaves the question open. The seat
// waits, others are taken meanwhile, and nothing is counted.
func TestRecoveryWaits(t *testing.T) {
	const give, get = 4, 1
	d := newDead(t)
	d.slot(2, get)
	d.given(get, 2)
	d.given(give, 3)
	d.leaves(0, layout.RecSending, give, get, 2)
	// Either seat 0 put 4 into the slot and the living seat 1 swapped 5 for it, or
	// seat 1 was first of all with 5 and ... its record says nothing yet.
	path := take(t, d.s, layout.RoleProducer) // seat 0 is dead: judged, not swapped, free and taken
	if path.Index != 0 || path.Block != give {
		t.Fatalf("took seat %d with block %d, want the dead one with its block %d", path.Index, path.Block, give)
	}
	leave(t, path)

	d.leaves(0, layout.RecSending, give, get, 2)
	other, err := shm.OpenFile(d.s.File()) // another party
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	d.seats[0].State.Store(layout.SeatFree) // so that the living one does not settle it on its way in
	atomic.StoreUint64(&d.seats[0].Rec, uint64(layout.MakeSeatRec(layout.RecHeld, give, 0)))
	first, living := take(t, other, layout.RoleConsumer), take(t, other, layout.RoleConsumer)
	leave(t, first)
	d.leaves(0, layout.RecSending, give, get, 2)
	atomic.StoreUint64(&living.Line.Ver, 3)
	atomic.StoreUint64(&living.Line.Rec, uint64(layout.MakeSeatRec(layout.RecTaking, 5, give)))
	d.slot(2*(1+slots), 5)
	d.given(5, 2*(1+slots))

	reaped := d.s.Control().Reaped.Load()
	if n, err := d.s.Reap(); n != 0 || err != nil {
		t.Fatalf("Reap = %d, %v, want the question left open", n, err)
	}
	if found, err := d.s.ReapSeats(); len(found) != 1 || found[0].Outcome != shm.Undecided || err != nil {
		t.Fatalf("ReapSeats = %+v, %v, want the question left open", found, err)
	}
	if o, err := d.s.Adopt(); o != nil || err != nil {
		t.Fatalf("Adopt = %v, %v, want nothing", o, err)
	}
	seat := take(t, d.s, layout.RoleConsumer)
	if seat.Index != 2 {
		t.Errorf("took seat %d, want 2: 0 is in doubt and 1 taken", seat.Index)
	}
	if d.rec(0) != layout.MakeSeatRec(layout.RecSending, give, get) || d.seats[0].State.Load() != layout.SeatTaken {
		t.Error("the seat in doubt was touched")
	}
	if n := d.s.Control().Reaped.Load() - reaped; n != 0 {
		t.Errorf("%d seats are counted as settled, none was", n)
	}
	// The living one goes on: it has our block, so we swapped.
	atomic.StoreUint64(&living.Line.Rec, uint64(layout.MakeSeatRec(layout.RecUnacked, give, 0)))
	if n, err := d.s.Reap(); n != 1 || err != nil {
		t.Fatalf("Reap = %d, %v, want the seat settled", n, err)
	}
	d.owns("decided later", 0, get, false)
	d.conserved("decided later")
	if n := d.s.Control().Reaped.Load() - reaped; n != 1 {
		t.Errorf("%d seats are counted as settled, want 1", n)
	}
	leave(t, seat)
	leave(t, living)
}
