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

	"ringway/internal/failpoint"
	"ringway/internal/order"
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
	slotBits  uint8
	lapShift  uint8
	burst     uint64 // exchanges since the last refused call
	perLine   uint64 // blocks that fit into a line, less 1
	wide      bool   // hardly more than one
	count     uint64 // of blocks
	hinted    uint64 // where we last moved the hint to
	step      uint64 // how far it may lag behind us
	hint      *uint64
	area      []byte // the blocks
	stride    uint64
	lead      uint64
	codec     layout.SlotCodec
}

// maxHops bounds what one call walks while others work, or while somebody scribbles.
const maxHops = 1 << 20

// How many positions ahead of a take, and of a send, a block is asked for: about what a line
// takes to come from another core.
const (
	fetchAhead = 8
	clearAhead = 12
)

func newExchange(s *shm.Segment, seat *shm.Seat, role layout.Role) exchange {
	g := s.Header().Geometry
	sent, freed := layout.VersionsAt(s.Memory(), &g)
	x := exchangeOf(s, &s.Control().Tail)
	x.given = wordsIn(sent)
	if role == layout.RoleConsumer {
		x.given, x.hint = wordsIn(freed), &s.Control().Head
	}
	x.seat, x.own = seat.Line, seat.Block
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
		slotBits: uint8(bits.Len64(uint64(g.Spec.Cap - 1))), lapShift: uint8(bits.TrailingZeros64(uint64(codec.Seal()))) + 1,
		wide: g.Stride >= 32, perLine: max(1, 64/g.Stride) - 1, step: max(1, min(64, uint64(g.Spec.Cap)/16)),
	}
}

// free returns the word of the slot of a position that is free for it and not sealed, but for the block.
func (x *exchange) free(pos uint64) uint64 {
	return pos >> (x.slotBits & 63) << (x.lapShift & 63)
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

// send puts our block into the ring and takes an empty one for it. The error is
// ErrFull, shm.ErrClosed or errScribbled.
func (x *exchange) send() error {
	failpoint.Hit(failpoint.SendFilled)
	for hop := 0; hop < maxHops; hop++ {
		t := x.pos
		slot := x.words.at(t & x.mask)
		word := atomic.LoadUint64(slot) // acquire, as in load
		failpoint.Look(failpoint.LookedAtSlot)
		get, free := word&x.blockMask, x.free(t)
		if word-get != free || get >= x.count {
			if err := x.refuseSend(t, word, hop); err != nil {
				return err
			}
			continue
		}
		if t&x.perLine == 0 {
			if get, ok := x.names(t+clearAhead, 0); ok {
				order.PrefetchWrite(&x.area[get*x.stride])
			}
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
		if atomic.CompareAndSwapUint64(slot, word, free|x.full|x.own) {
			failpoint.Hit(failpoint.SendExchanged)
			x.own = get
			x.hold()
			failpoint.Hit(failpoint.SendSettled)
			x.advance(t + 1)
			failpoint.Hit(failpoint.SendHinted)
			return nil
		}
		failpoint.Hit(failpoint.SendFailed)
		x.hold() // before the next version: an old record beside a new version would be false evidence
	}
	return errScribbled
}

// refuseSend says why a slot cannot be filled for t, or moves on to another position.
func (x *exchange) refuseSend(t, word uint64, hop int) error {
	version, block := x.codec.Unpack(layout.SlotWord(word), t&x.mask)
	switch d := x.codec.Distance(version, 2*t); {
	case d == 0: // free for t
		if x.sealed(word) {
			return shm.ErrClosed
		}
		if block >= x.count {
			return errScribbled
		}
	case d > 0: // t is filled
		x.pos = x.ahead(t, d, d&1, hop, x.filled)
	case d == 1-2*int64(x.mask+1): // still holds message t-slots
		if x.sealed(word) {
			return shm.ErrClosed
		}
		if !x.filled(t) {
			return errScribbled
		}
		return ErrFull
	default: // behind by more than a lap: t is where nobody was yet
		return errScribbled
	}
	return nil
}

// take takes the oldest message's block and leaves ours, which is empty. The error is
// ErrEmpty, shm.ErrClosed at the sealed end, or errScribbled.
func (x *exchange) take() error {
	for hop := 0; hop < maxHops; hop++ {
		h := x.pos
		slot := x.words.at(h & x.mask)
		word := atomic.LoadUint64(slot) // acquire, as in load
		failpoint.Look(failpoint.LookedAtSlot)
		get, free := word&x.blockMask, x.free(h)
		if (word-get)&^x.seal != free|x.full || get >= x.count {
			if err := x.refuseTake(h, word, hop); err != nil {
				return err
			}
			continue
		}
		if x.wide {
			if get, ok := x.names(h+fetchAhead, x.full); ok {
				order.Prefetch(&x.area[get*x.stride])
			}
		}
		*x.given.at(x.own) = 2 * (h + x.mask + 1) // evidence, as in send
		failpoint.Hit(failpoint.TakeHeader)
		order.StoreRelease(&x.seat.Ver, 2*h+1)
		failpoint.Hit(failpoint.TakeVersion)
		order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecTaking, x.own, get)))
		failpoint.Hit(failpoint.TakePending)
		// The message is ours from here on. acquire: its sender's writes; release: we
		// are done with the block we leave.
		if atomic.CompareAndSwapUint64(slot, word, x.free(h+x.mask+1)|x.own|word&x.seal) {
			failpoint.Hit(failpoint.TakeExchanged)
			x.own = get
			if x.lead != 0 {
				order.StoreRelease(&x.seat.Part, 0) // before the record that makes it count
			}
			order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecUnacked, get, 0)))
			failpoint.Hit(failpoint.TakeUnacked)
			x.advance(h + 1)
			failpoint.Hit(failpoint.TakeHinted)
			return nil
		}
		failpoint.Hit(failpoint.TakeFailed)
		x.hold()
	}
	return errScribbled
}

// names returns the block that a coming position's slot names if it is free for it, or holds its
// message (full). The swap of each exchange waits for all loads and stores before it, so the lines
// of a burst would come one by one if their blocks were not asked for ahead.
func (x *exchange) names(pos, full uint64) (block uint64, ok bool) {
	// observes nothing: whatever it names is only a hint to the cache.
	word := atomic.LoadUint64(x.words.at(pos & x.mask))
	block = word & x.blockMask
	return block, word-block == x.free(pos)|full && block < x.count
}

// refuseTake says why there is no message at h to take, or moves on to another position.
func (x *exchange) refuseTake(h, word uint64, hop int) error {
	version, block := x.codec.Unpack(layout.SlotWord(word), h&x.mask)
	switch d := x.codec.Distance(version, 2*h+1); {
	case d == 0: // holds message h
		if block >= x.count {
			return errScribbled
		}
	case d > 0: // h is taken
		x.pos = x.ahead(h, d+1, 0, hop, x.taken)
	case d == -1: // free for h: not sent yet
		if x.sealed(word) {
			return shm.ErrClosed
		}
		return ErrEmpty
	default: // h lies beyond what was ever sent
		return errScribbled
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
