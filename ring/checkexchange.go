package ring

import (
	"math"
	"time"

	"ringway/layout"
)

// The invariants of an MPMC ring. Those of one word or one seat hold at any instant.
// Those that span slots and seats are judged on a picture of an instant: slot versions only
// grow, so if their sum is the same before and after a look, no exchange happened
// meanwhile. A ring that never stands still for a look's length says so.

// lookFor bounds how long a busy ring is looked at in the hope of such an instant.
const lookFor = 2 * time.Second

// exchangeCheck looks at the words of an MPMC ring.
type exchangeCheck struct {
	*checker
	o     *blockObserver
	slots uint64
}

// picture is what one look at all slots and seats found. Positions are relative to that of slot 0.
type picture struct {
	sum        uint64 // of the versions
	base       uint64 // slot 0's version, free
	at         uint64 // slot 0's position, whole
	head, tail int64  // the first position not taken, not sent
	full       uint64
	seal       int64 // the sealed slot, -1 if none
	seals      int
	sealed     int64     // the position the sealed slot ends the ring at
	inSlot     []uint64  // bit: block lies in a slot
	twice      int64     // a slot whose block lies in another one too, -1 if none
	strange    int64     // a slot that is at no version that head and tail allow, -1 if none
	recs       []seatRec // read while no slot moved, if still
	still      bool
}

func (k *checker) exchanges() {
	s := k.segment
	x := exchangeCheck{checker: k, o: newBlockObserver(s), slots: uint64(s.Spec().Cap)}
	x.hints()
	p := x.look()
	for begin := time.Now(); !p.still && time.Since(begin) < k.patience; p = x.look() {
		time.Sleep(lookAgain)
	}
	x.positions(p)
	x.ends(p)
	x.conserved(p)
	x.records(p)
	x.headers()
	x.counters()
}

// hints: never ahead of the truth. The slot before a hint proves that, for good.
func (x *exchangeCheck) hints() {
	c := x.control
	head, tail := x.head(), x.tail() // observes: moveHint
	switch {
	case !x.o.taken(head):
		x.bad("hints", "head's hint is %d, and the slot before it does not say that all below was taken", head)
	case !x.o.filled(tail):
		x.bad("hints", "tail's hint is %d, and the slot before it does not say that all below was sent", tail)
	case c.Claim != 0 || c.Seal.Load() != 0: // observes: nobody's store, an mpmc ring does not use them
		x.bad("hints", "the words claim and seal of the control page are %d and %d, an mpmc ring leaves them 0", c.Claim, c.Seal.Load())
	default:
		x.good("hints", "head %d, tail %d, neither is ahead", head, tail)
	}
}

// look reads all slots, then all seats, then all slots again.
func (x *exchangeCheck) look() picture {
	p := picture{seal: -1, twice: -1, strange: -1, inSlot: make([]uint64, x.o.count/64+1)}
	free, full := int64(math.MaxInt64), int64(math.MaxInt64) // the lowest position of either kind
	for i := range x.slots {
		word, version, block := x.o.load(i) // acquire, as in send and take
		if p.sum += version; i == 0 {
			p.base = version &^ 1
		}
		pos := x.o.codec.Distance(version, p.base) >> 1
		if version&1 == 0 {
			free = min(free, pos)
		} else {
			full = min(full, pos)
			p.full++
		}
		if x.o.sealed(word) {
			p.seals++
			if p.seal, p.sealed = int64(i), pos; version&1 == 1 {
				p.sealed += int64(x.slots) // the position that must not be sent; the slot still holds the message a lap before
			}
		}
		if block >= x.o.count || p.inSlot[block/64]>>(block%64)&1 == 1 {
			p.twice = int64(i)
			continue
		}
		p.inSlot[block/64] |= 1 << (block % 64)
	}
	if p.tail = free; free == math.MaxInt64 {
		p.tail = full + int64(x.slots)
	}
	if p.head = full; full == math.MaxInt64 {
		p.head = p.tail
	}
	_, near := findPositions(x.segment)
	p.at = near + uint64(x.o.codec.Distance(p.base, 2*near)>>1)
	for i := range x.o.seats {
		p.recs = append(p.recs, x.seatRec(i))
	}
	sum, seals := uint64(0), 0
	for i := range x.slots {
		word, version, _ := x.o.load(i)
		pos := x.o.codec.Distance(version, p.base) >> 1
		low, high := p.tail, p.head+int64(x.slots)
		if version&1 == 1 {
			low, high = p.head, p.tail
		}
		if pos < low || pos >= high {
			p.strange = int64(i)
		}
		sum += version
		if x.o.sealed(word) {
			seals++
		}
	}
	p.still = sum == p.sum && seals == p.seals
	return p
}

const changing = "changing all the time, not judged; stop the ring's users, or look again"

// position is a relative position's whole one.
func (p *picture) position(rel int64) uint64 { return p.at + uint64(rel) }

// positions: every slot is at the one version that head and tail leave it.
func (x *exchangeCheck) positions(p picture) {
	switch {
	case !p.still:
		x.good("slots", changing)
	case p.strange >= 0:
		_, version, _ := x.o.load(uint64(p.strange))
		x.bad("slots", "slot %d is at version %d, which does not go with the others: by them the ring holds positions %d to %d",
			p.strange, version, p.position(p.head), p.position(p.tail))
	default:
		x.good("slots", "head %d, tail %d, %d of %d filled, every slot in order", p.position(p.head), p.position(p.tail), p.full, x.slots)
	}
}

// ends: at most one seal, only in a ring that was shut down, where nothing was sent.
func (x *exchangeCheck) ends(p picture) {
	st := x.control.State.Load() // observes: Shutdown, which comes before the seal
	switch {
	case p.seals > 1:
		x.bad("seal", "%d slots are sealed, one of them is %d; a ring has one end", p.seals, p.seal)
	case p.seals == 1 && st == layout.StateOpen:
		x.bad("seal", "slot %d is sealed, but the ring is open", p.seal)
	case p.seals == 1 && p.still && p.sealed != p.tail:
		x.bad("seal", "slot %d is sealed for position %d, but all below %d were sent", p.seal, p.position(p.sealed), p.position(p.tail))
	case p.seals == 1:
		x.good("seal", "the end is at position %d", p.position(p.sealed))
	case st == layout.StateShutdown:
		x.good("seal", "not agreed yet; the next peer that looks does it")
	default:
		x.good("seal", "none")
	}
}

// headers: the block in a slot says the slot's version, and how much it holds. A slot
// whose word is the same before and after had the same block all the time.
func (x *exchangeCheck) headers() {
	spec := x.segment.Spec()
	least, most := uint64(1), uint64(spec.Pack)
	if spec.Payload == layout.Message {
		least, most = 0, uint64(spec.Elem.Size)
	}
	seen := uint64(0)
	for i := range x.slots {
		word, version, block := x.o.load(i)
		if block >= x.o.count {
			continue // blocks says so
		}
		says, n := x.segment.BlockVersion(block), x.o.length(block)
		if again, _, _ := x.o.load(i); again != word {
			continue
		}
		seen++
		if x.o.codec.Distance(says, version) != 0 {
			x.bad("headers", "block %d lies in slot %d, which is at version %d; the block says %d", block, i, version, says)
			return
		}
		if version&1 == 1 && (n < least || n > most) {
			x.bad("headers", "block %d, the message in slot %d, says that it holds %d; it may be %d to %d", block, i, n, least, most)
			return
		}
	}
	x.good("headers", "%d of %d blocks in slots looked at, all say what their slot does", seen, x.slots)
}

// counters: nobody was settled who had not sat down.
func (x *exchangeCheck) counters() {
	reaped := x.control.Reaped.Load() // observes: who settled a seat; before the epochs, which grow
	tenures := uint64(0)
	for i := range x.o.seats {
		tenures += uint64(x.o.seats[i].Epoch.Load()) // observes: sit
	}
	if reaped > tenures {
		x.bad("counters", "%d dead owners' seats were settled, and seats were taken %d times", reaped, tenures)
		return
	}
	x.good("counters", "seats taken %d times, %d settled after a death, %d messages left by the dead or by closed handles",
		tenures, reaped, x.control.Orphans.Load()) // observes: unlockSeat
}
