package ring

import (
	"fmt"
	"sync/atomic"

	"ringway/layout"
)

// seatRec is what a seat's line said at one moment.
type seatRec struct {
	state, role     uint32
	rec             layout.SeatRec
	ver, part, slot uint64 // slot: the version of the slot that ver is about, read later
	whole           bool   // nobody changed the line meanwhile
}

func (x *exchangeCheck) seatRec(i int) (r seatRec) {
	line := &x.o.seats[i]
	const looks = 20
	for range looks {
		epoch := line.Epoch.Load() // observes: sit, which changes it first of all
		r.state, r.role = line.State.Load(), line.Role.Load()
		r.rec = layout.SeatRec(atomic.LoadUint64(&line.Rec)) // observes, like the next two: the owner's stores
		r.ver, r.part = atomic.LoadUint64(&line.Ver), atomic.LoadUint64(&line.Part)
		_, r.slot, _ = x.o.load(r.ver >> 1)
		r.whole = layout.SeatRec(atomic.LoadUint64(&line.Rec)) == r.rec && atomic.LoadUint64(&line.Ver) == r.ver && line.Epoch.Load() == epoch
		if r.whole {
			break
		}
	}
	return r
}

// wrong says what is wrong with a seat's record, "" if nothing.
func (x *exchangeCheck) wrong(r seatRec) string {
	k := r.rec.Kind()
	switch {
	case k < layout.RecHeld || k > layout.RecTaking:
		return fmt.Sprintf("has a record of kind %d, which means nothing", k)
	case r.rec.Give() >= x.o.count || r.rec.Get() >= x.o.count:
		return fmt.Sprintf("names blocks %d and %d, there are %d", r.rec.Give(), r.rec.Get(), x.o.count)
	case !r.rec.Exchanging() && r.rec.Get() != 0:
		return fmt.Sprintf("exchanges nothing and yet gets block %d", r.rec.Get())
	case !r.whole:
		return ""
	case r.state == layout.SeatFree && k != layout.RecHeld:
		return "is free and " + r.rec.Doing()
	case r.state == layout.SeatOrphan && r.rec.Exchanging():
		return "is an orphan and " + r.rec.Doing()
	case layout.Role(r.role) == layout.RoleProducer && (k == layout.RecTaking || k == layout.RecUnacked), layout.Role(r.role) == layout.RoleConsumer && k == layout.RecSending:
		return fmt.Sprintf("is a %v's and %s", layout.Role(r.role), r.rec.Doing())
	case r.rec.Exchanging() && r.ver&1 == 1 != (k == layout.RecTaking):
		return fmt.Sprintf("is %s and expects version %d", r.rec.Doing(), r.ver)
	case r.rec.Exchanging() && x.o.codec.Distance(r.slot, r.ver) < 0:
		return fmt.Sprintf("expects version %d, its slot is only at %d", r.ver, r.slot)
	case k == layout.RecUnacked && r.ver&1 == 1 && x.o.codec.Distance(r.slot, r.ver) <= 0:
		return fmt.Sprintf("has taken the message of version %d, its slot is only at %d", r.ver, r.slot)
	case k == layout.RecUnacked && x.segment.Spec().Payload == layout.Fixed && r.part >= uint64(x.segment.Spec().Pack):
		return fmt.Sprintf("has released %d elements of a block of at most %d and not the block", r.part, x.segment.Spec().Pack)
	}
	return ""
}

// records: every seat's record is one that an owner of its role leaves behind.
func (x *exchangeCheck) records(p picture) {
	var n [layout.RecTaking + 1]int
	for i, r := range p.recs {
		if what := x.wrong(r); what != "" {
			x.bad("records", "seat %d %s", i, what)
			return
		}
		n[r.rec.Kind()]++
	}
	x.good("records", "%d seats hold an empty block, %d a message, %d are sending, %d taking", n[layout.RecHeld], n[layout.RecUnacked], n[layout.RecSending], n[layout.RecTaking])
}
