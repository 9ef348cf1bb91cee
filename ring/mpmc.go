package ring

// The multi-producer multi-consumer ring: an exchange ring. It is the array queue
// with cycle tags (Nikolaev, A Scalable, Portable, and Memory-Efficient Lock-Free FIFO
// Queue, DISC 2019) whose slots hand over blocks instead of being written in place.
//
// There are as many blocks as slots and seats together. Every slot always names one
// block, and every seat owns one. To send, fill your own block, then put it into
// the slot with one compare-and-swap, which hands you the slot's empty block. To take,
// swap your empty block for the slot's full one. Nothing is ever claimed and not yet
// published, so there is no instruction at which somebody who dies or stops is in
// anybody's way. A block belongs to exactly one seat or one slot; only its owner
// touches it.
//
// A slot's word holds its version: 2p while it is free for position p, 2p+1 while it
// holds message p, then 2(p+slots). Versions only grow, so a compare-and-swap with an old
// word fails. Positions fill in order and empty in order: slot p-1 is at 2(p-1)+1 or later
// before anybody fills p.
//
// Head and Tail in the control page are hints, never ahead of the truth. Each handle
// walks on from its own last position, over slots that are past already; the words it
// sees on the way prove where it is. docs/PROTOCOL.md has the proofs and what a crash
// after each step leaves behind; shm/recover.go settles it.

import (
	"math/bits"
	"sync/atomic"

	"ringway/futex"
	"ringway/internal/failpoint"
	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// exchange is the part of an MPMC handle that knows the protocol.
type exchange struct {
	pos       uint64 // next position to try; everything below is filled (producer) or taken (consumer)
	mask      uint64 // slots - 1
	words     words  // one per slot
	given     words  // one per block: the version at which our side last gave it away
	seat      *layout.Seat
	own       uint64 // the block that is ours
	blockMask uint64 // the bits of a slot word that name its block
	full      uint64 // the bit that says it holds a message
	seal      uint64
	lapShift  uint8  // from a lap's positions to the lap in a slot word
	lap       uint64 // the difference that a lap makes there
	since     uint64 // where we were at the last refused call, plus what others did since
	hops      int    // of the call that is not refused and not done yet
	mapped    bool   // the race detector is blind here
	other     *futex.Event
	count     uint64 // of blocks
	hinted    uint64 // where we last moved the hint to
	step      uint64 // how far it may lag behind us
	askMask   uint64 // at positions without these bits lines are asked for
	hint      *uint64
	area      []byte // the blocks
	stride    uint64
	lead      uint64
	codec     layout.SlotCodec
}

// maxHops bounds what one call walks while others work, or while somebody scribbles.
const maxHops = 1 << 20

func newExchange(s *shm.Segment, e *end, role layout.Role) exchange {
	g := s.Header().Geometry
	sent, freed := layout.VersionsAt(s.Memory(), &g)
	x := exchangeOf(s, &s.Control().Tail)
	x.given = wordsIn(sent)
	if role == layout.RoleConsumer {
		x.given, x.hint = wordsIn(freed), &s.Control().Head
	}
	x.seat, x.own = e.seat.Line, e.seat.Block
	x.other, x.mapped = e.other, e.mapped
	x.askMask = ^uint64(0)
	if x.stride <= 8*slotLine && g.Spec.Cap >= 4*slotLine { // else what is asked for is a small part, or the other side works there
		x.askMask = slotLine - 1
	}
	return x
}

func exchangeOf(s *shm.Segment, hint *uint64) exchange {
	g := s.Header().Geometry
	codec := g.SlotCodec()
	return exchange{
		words: wordsIn(layout.WordsAt(s.Memory(), &g)),
		area:  s.Memory()[g.DataOff : g.DataOff+g.DataSize], stride: g.Stride, lead: g.Lead(), count: g.Blocks,
		mask: uint64(g.Spec.Cap - 1), codec: codec, hint: hint,
		blockMask: uint64(codec.Full() - 1), full: uint64(codec.Full()), seal: uint64(codec.Seal()),
		lapShift: uint8(bits.TrailingZeros64(uint64(codec.Seal()) << 1 / uint64(g.Spec.Cap))), lap: uint64(codec.Seal()) << 1,
		step: max(1, min(64, uint64(g.Spec.Cap)/16)),
	}
}

// free returns the word of the slot of a position that is free for it and not sealed, but for the block.
func (x *exchange) free(pos uint64) uint64 {
	return pos &^ x.mask << (x.lapShift & 63)
}

// load reads the slot of a position.
func (x *exchange) load(pos uint64) (word, version, block uint64) {
	i := pos & x.mask
	// acquire: whatever was done to the block before it got here; pairs with the swaps in send and take.
	word = atomic.LoadUint64(x.words.at(i))
	version, block = x.codec.Unpack(layout.SlotWord(word), i)
	return word, version, block
}

func (x *exchange) sealed(word uint64) bool { return word&x.seal != 0 }

// send tries once to put our block into the ring and take an empty one for it. It says nil if that is
// all; errParked if somebody sleeps, errAgain if somebody else was here first; ErrFull, shm.ErrClosed
// or errScribbled if nothing was sent. The compiler keeps what it needs in registers, because all that is
// unusual leaves through the last instruction: each store to the stack delays the swap.
func (x *exchange) send() error {
	if race.Enabled && x.mapped {
		race.Release()
	}
	if x.pos&x.askMask == 0 {
		x.askSend()
	}
	t := x.pos
	slot := x.words.at(t & x.mask)
	word := atomic.LoadUint64(slot) // acquire, as in load
	failpoint.Look(failpoint.LookedAtSlot)
	get, free := word&x.blockMask, x.free(t)
	if word-get != free || get >= x.count {
		return x.refuseSend(t, word)
	}
	// Evidence for whoever must find out, after our death, whether the swap below
	// happened. Our block, our seat: nobody else stores to either. Recovery reads
	// them only once we are provably gone.
	*x.given.at(x.own) = 2*t + 1
	failpoint.Hit(failpoint.SendHeader)
	order.StoreRelease(&x.seat.Ver, 2*t)
	failpoint.Hit(failpoint.SendVersion)
	order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecSending, x.own, get)))
	failpoint.Hit(failpoint.SendPending)
	// The message is sent here. release: passes our block to whoever takes it;
	// acquire: the taker before us is done with the block we get.
	if !atomic.CompareAndSwapUint64(slot, word, free|x.full|x.own) {
		failpoint.Hit(failpoint.SendFailed)
		return x.failed()
	}
	failpoint.Hit(failpoint.SendExchanged)
	x.own = get
	x.hold()
	failpoint.Hit(failpoint.SendSettled)
	x.pos = t + 1
	if t+1-x.hinted >= x.step {
		x.moveHint(t + 1)
	}
	failpoint.Hit(failpoint.SendHinted)
	if race.Enabled && x.mapped {
		race.Acquire()
	}
	failpoint.Hit(failpoint.WakeBefore)
	if x.other.Parked() { // observes: Prepare by a consumer, or Alert; the swap is the fence between
		return errParked
	}
	return nil
}

// failed takes back what was announced before a swap that somebody else was ahead of.
func (x *exchange) failed() error {
	x.hold() // before the next version: an old record beside a new version would be false evidence
	return x.again()
}

// take tries once to take the oldest message's block and leave ours, which is empty. It says nil if that is
// all; errParked if somebody sleeps, errAgain if somebody else was here first; ErrEmpty, shm.ErrClosed
// at the sealed end, or errScribbled if nothing was taken.
func (x *exchange) take() error {
	if race.Enabled && x.mapped {
		race.Release() // to whoever fills the slot that the swap frees
	}
	if x.pos&x.askMask == 0 {
		x.askTake()
	}
	h := x.pos
	slot := x.words.at(h & x.mask)
	word := atomic.LoadUint64(slot) // acquire, as in load
	failpoint.Look(failpoint.LookedAtSlot)
	get, free := word&x.blockMask, x.free(h)
	if (word-get)&^x.seal != free|x.full || get >= x.count {
		return x.refuseTake(h, word)
	}
	*x.given.at(x.own) = 2 * (h + x.mask + 1) // evidence, as in send
	failpoint.Hit(failpoint.TakeHeader)
	order.StoreRelease(&x.seat.Ver, 2*h+1)
	failpoint.Hit(failpoint.TakeVersion)
	order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecTaking, x.own, get)))
	failpoint.Hit(failpoint.TakePending)
	// The message is ours from here on. acquire: its sender's writes; release: we
	// are done with the block we leave.
	if !atomic.CompareAndSwapUint64(slot, word, (free+x.lap)|x.own|word&x.seal) {
		failpoint.Hit(failpoint.TakeFailed)
		return x.failed()
	}
	failpoint.Hit(failpoint.TakeExchanged)
	x.own = get
	if x.lead != 0 {
		order.StoreRelease(&x.seat.Part, 0) // before the record that makes it count
	}
	order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecUnacked, get, 0)))
	failpoint.Hit(failpoint.TakeUnacked)
	x.pos = h + 1
	if h+1-x.hinted >= x.step {
		x.moveHint(h + 1)
	}
	failpoint.Hit(failpoint.TakeHinted)
	if race.Enabled && x.mapped {
		race.Acquire()
	}
	failpoint.Hit(failpoint.WakeBefore)
	if x.other.Parked() { // observes: Prepare by a producer, or Alert; the swap is the fence between
		return errParked
	}
	return nil
}

// hold records that the seat owns one block and has nothing in flight.
func (x *exchange) hold() {
	// publishes to recovery, behind everything the last exchange did.
	order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecHeld, x.own, 0)))
}

// setLen records how many elements or bytes our block holds.
func (x *exchange) setLen(n uint64) {
	if x.lead != 0 {
		storeWord(x.area, x.own*x.stride, n)
	}
}

// payload returns a block's payload area. The block was checked when it became ours.
func (x *exchange) payload(block uint64) []byte {
	at := block * x.stride
	return x.area[at+x.lead : at+x.stride : at+x.stride]
}

// length reads what setLen recorded, once; the caller checks it.
func (x *exchange) length(block uint64) uint64 {
	if x.lead == 0 {
		return 1
	}
	return loadWord(x.area, block*x.stride)
}
