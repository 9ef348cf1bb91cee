package ring

import (
	"bytes"
	"slices"
	"sync/atomic"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// The last messages of an MPMC ring. A slot that holds one says which; so do blocks in
// seats whose consumer took them last and has given away nothing since: the seat's version and
// the block's own are both that of the message. All others are forgotten with the
// exchange that gave their block back.

// found is a message whose block tells its position.
type found struct {
	pos, version, block uint64
	seat                int // -1: in a slot
	rec                 layout.SeatRec
	epoch               uint32
	part                uint64
}

// blockObserver looks at an MPMC ring while everybody goes on.
type blockObserver struct {
	*exchange
	segment *shm.Segment
	seats   []layout.Seat
	tail    uint64
	order   atomic.Uint32 // private; as in observer.kept
}

func newBlockObserver(s *shm.Segment) *blockObserver {
	x := exchangeOf(s, nil) // which nobody makes
	return &blockObserver{exchange: &x, segment: s, seats: layout.SeatsAt(s.Memory(), s.Spec().Seats)}
}

func lastBlocks(s *shm.Segment, n int) (best Seen) {
	o := newBlockObserver(s)
	for try := range looks {
		if try > 0 {
			time.Sleep(lookAgain)
		}
		seen := o.look(n)
		if try == 0 || len(seen.Samples) > len(best.Samples) {
			best = seen
		}
		if seen.Torn == 0 {
			return seen
		}
	}
	return best
}

// look copies the last n that it finds, newest first, so that what is overwritten
// meanwhile costs as little as may be.
func (o *blockObserver) look(n int) (seen Seen) {
	_, o.tail = findPositions(o.segment)
	all := o.inSlots(n)
	all = append(o.inSeats(), all...) // it may have been taken meanwhile
	slices.SortStableFunc(all, func(a, b found) int { return int(max(-1, min(1, int64(b.pos-a.pos)))) })
	all = slices.CompactFunc(all, func(a, b found) bool { return a.pos == b.pos })
	for _, f := range all {
		if len(seen.Samples) >= n {
			break
		}
		samples := o.copy(f)
		if samples == nil {
			seen.Torn++
			continue
		}
		slices.Reverse(samples)
		seen.Samples = append(seen.Samples, samples...)
	}
	seen.Samples = seen.Samples[:min(n, len(seen.Samples))]
	slices.Reverse(seen.Samples)
	return seen
}

// inSlots finds the newest n that wait.
func (o *blockObserver) inSlots(n int) (all []found) {
	for d := uint64(1); d <= o.mask+1 && len(all) < n; d++ {
		pos := o.tail - d
		_, version, block := o.load(pos) // acquire: the block's content; pairs with the swap in send
		if o.codec.Distance(version, 2*pos+1) == 0 && block < o.count {
			all = append(all, found{pos: pos, version: 2*pos + 1, block: block, seat: -1})
		}
	}
	return all
}

// inSeats finds what consumers took last.
func (o *blockObserver) inSeats() (all []found) {
	for i := range o.seats {
		line := &o.seats[i]
		// observes: sit; a seat that changes hands meanwhile is found out by its epoch
		f := found{seat: i, epoch: line.Epoch.Load()}
		f.rec = layout.SeatRec(atomic.LoadUint64(&line.Rec)) // observes: the owner's record
		f.version, f.part = atomic.LoadUint64(&line.Ver), atomic.LoadUint64(&line.Part)
		f.block = f.rec.Give()
		f.pos = layout.PositionOf(f.version, o.tail)
		if o.inSeat(f) {
			all = append(all, f)
		}
	}
	return all
}

// inSeat reports whether a seat's block holds message f.
func (o *blockObserver) inSeat(f found) bool {
	line := &o.seats[f.seat]
	k := f.rec.Kind()
	return (k == layout.RecHeld || k == layout.RecUnacked) && f.version&1 == 1 && f.block < o.count &&
		layout.Role(line.Role.Load()) == layout.RoleConsumer && // observes: sit
		o.tells(f)
}

// tells reports whether a block says that it is what was put into the ring as f.
func (o *blockObserver) tells(f found) bool {
	return o.codec.Distance(o.segment.BlockVersion(f.block), f.version) == 0
}

// copy returns the elements of a message, or the message; nil if somebody may have
// overwritten it before that was done.
func (o *blockObserver) copy(f found) (samples []Sample) {
	spec := o.segment.Spec()
	if !o.tells(f) {
		return nil
	}
	n := o.length(f.block)
	switch {
	case spec.Payload == layout.Message && n <= uint64(spec.Elem.Size):
		samples = []Sample{{Pos: f.pos, Data: bytes.Clone(o.payload(f.block)[:n:n])}}
	case spec.Payload == layout.Fixed && 1 <= n && n <= uint64(spec.Pack):
		size := uint64(spec.Elem.Size)
		for i := range n {
			samples = append(samples, Sample{Pos: f.pos, Index: int(i), Data: bytes.Clone(o.payload(f.block)[i*size : (i+1)*size])})
		}
	}
	// Keeps the copies before the loads below, as in observer.kept. Whoever fills the block
	// anew has it out of a slot, and who put it there wrote another version into it first; or
	// it sat down where the block's last taker was, and did that itself (begin).
	o.order.Add(1)
	if !o.tells(f) {
		return nil
	}
	if f.seat < 0 {
		return samples
	}
	if line := &o.seats[f.seat]; line.Epoch.Load() != f.epoch || !o.inSeat(f) { // observes: sit: a producer may fill it where it is
		return nil
	}
	for i := range samples {
		samples[i].Consumed = f.rec.Kind() == layout.RecHeld || uint64(i) < f.part && spec.Payload == layout.Fixed
		samples[i].InHand = !samples[i].Consumed
	}
	return samples
}
