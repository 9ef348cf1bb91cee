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
	"sync/atomic"

	"ringway/internal/failpoint"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

// exchange is the part of an MPMC handle that knows the protocol.
type exchange struct {
	words  []uint64 // one per slot
	blocks []byte
	stride uint64
	count  uint64 // of blocks
	mask   uint64 // slots - 1
	codec  layout.SlotCodec
	seat   *layout.Seat
	own    uint64  // the block that is ours
	pos    uint64  // next position to try; everything below is filled (producer) or taken (consumer)
	hint   *uint64 // where others begin to look
	hinted uint64  // where we last moved it to
	step   uint64  // how far it may lag behind us
}

// maxHops bounds what one call walks while others work, or while somebody scribbles.
const maxHops = 1 << 20

// askEvery is after how many steps a walk looks at the hint.
const askEvery = 16

func newExchange(s *shm.Segment, seat *shm.Seat, hint *uint64) *exchange {
	g := s.Header().Geometry
	x := &exchange{
		words: layout.WordsAt(s.Memory(), &g), blocks: s.Memory()[g.DataOff : g.DataOff+g.DataSize],
		stride: g.Stride, count: g.Blocks, mask: uint64(g.Spec.Cap - 1), codec: g.SlotCodec(),
		seat: seat.Line, own: seat.Block, hint: hint,
		step: max(1, min(64, uint64(g.Spec.Cap)/16)),
	}
	return x
}

// load reads the slot of a position.
func (x *exchange) load(pos uint64) (word, version, block uint64) {
	i := pos & x.mask
	// acquire: whatever was done to the block before it got here; pairs with the swaps in send and take.
	word = atomic.LoadUint64(&x.words[i])
	version, block = x.codec.Unpack(layout.SlotWord(word), i)
	return word, version, block
}

func (x *exchange) sealed(word uint64) bool { return layout.SlotWord(word)&x.codec.Seal() != 0 }

// send puts our block into the ring and takes an empty one for it. The error is
// ErrFull, shm.ErrClosed or errScribbled.
func (x *exchange) send() error {
	failpoint.Hit(failpoint.SendFilled)
	for hop := 0; hop < maxHops; hop++ {
		t := x.pos
		word, version, block := x.load(t)
		failpoint.Look(failpoint.LookedAtSlot)
		slots := int64(x.mask + 1)
		switch d := x.codec.Distance(version, 2*t); {
		case d == 0: // free for t
			if x.sealed(word) {
				return shm.ErrClosed
			}
			if block >= x.count {
				return errScribbled
			}
			// Evidence for whoever must find out, after our death, whether the swap below
			// happened. Our block, our seat: nobody else stores to either. Recovery reads
			// them only once we are provably gone.
			x.storeHeader(x.own, 2*t+1)
			failpoint.Hit(failpoint.SendHeader)
			order.StoreRelease(&x.seat.Ver, 2*t)
			failpoint.Hit(failpoint.SendVersion)
			order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecSending, x.own, block)))
			failpoint.Hit(failpoint.SendPending)
			// The message is sent here. release: passes our block to whoever takes it;
			// acquire: the taker before us is done with the block we get.
			if atomic.CompareAndSwapUint64(&x.words[t&x.mask], word, uint64(x.codec.Pack(2*t+1, x.own))) {
				failpoint.Hit(failpoint.SendExchanged)
				x.own = block
				x.hold()
				failpoint.Hit(failpoint.SendSettled)
				x.advance(t + 1)
				failpoint.Hit(failpoint.SendHinted)
				return nil
			}
			failpoint.Hit(failpoint.SendFailed)
			x.hold() // before the next header: an old record beside a new header would be false evidence
		case d > 0: // t is filled
			x.pos = x.ahead(t, d, d&1, hop, x.filled)
		case d == 1-2*slots: // still holds message t-slots
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
	}
	return errScribbled
}

// take takes the oldest message's block and leaves ours, which is empty. The error is
// ErrEmpty, shm.ErrClosed at the sealed end, or errScribbled.
func (x *exchange) take() error {
	for hop := 0; hop < maxHops; hop++ {
		h := x.pos
		word, version, block := x.load(h)
		failpoint.Look(failpoint.LookedAtSlot)
		switch d := x.codec.Distance(version, 2*h+1); {
		case d == 0: // holds message h
			if block >= x.count {
				return errScribbled
			}
			next := 2 * (h + x.mask + 1)
			x.storeHeader(x.own, next) // evidence, as in send
			failpoint.Hit(failpoint.TakeHeader)
			order.StoreRelease(&x.seat.Ver, 2*h+1)
			failpoint.Hit(failpoint.TakeVersion)
			order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecTaking, x.own, block)))
			failpoint.Hit(failpoint.TakePending)
			after := uint64(x.codec.Pack(next, x.own)) | word&uint64(x.codec.Seal())
			// The message is ours from here on. acquire: its sender's writes; release: we
			// are done with the block we leave.
			if atomic.CompareAndSwapUint64(&x.words[h&x.mask], word, after) {
				failpoint.Hit(failpoint.TakeExchanged)
				x.own = block
				order.StoreRelease(&x.seat.Part, 0) // before the record that makes it count
				order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecUnacked, block, 0)))
				failpoint.Hit(failpoint.TakeUnacked)
				x.advance(h + 1)
				failpoint.Hit(failpoint.TakeHinted)
				return nil
			}
			failpoint.Hit(failpoint.TakeFailed)
			x.hold()
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
	}
	return errScribbled
}

// hold records that the seat owns one block and has nothing in flight.
func (x *exchange) hold() {
	// publishes to recovery, behind everything the last exchange did.
	order.StoreRelease(&x.seat.Rec, uint64(layout.MakeSeatRec(layout.RecHeld, x.own, 0)))
}

// ahead returns where to go on from pos, whose slot's version is ahead by d. The slot
// stands for position q; full says whether it holds its message. Then all up to q are
// filled; if not, all up to a lap before q are filled and taken.
func (x *exchange) ahead(pos uint64, d, full int64, hop int, past func(uint64) bool) uint64 {
	q := pos + uint64(d>>1)
	next := pos + 1
	if full != 0 {
		next = q + 1
	} else if lap := q - x.mask; int64(lap-next) > 0 {
		next = lap
	}
	if d > 2*int64(x.mask+1) || hop%askEvery == askEvery-1 { // lapped, or a long way behind: the hint may save a walk
		// observes: the swap in advance. Believed only if the slot before it agrees.
		if h := atomic.LoadUint64(x.hint); int64(h-next) > 0 && past(h) {
			next = h
		}
	}
	return next
}

// filled reports whether everything below pos was sent, by the slot before it.
func (x *exchange) filled(pos uint64) bool {
	_, version, _ := x.load(pos - 1)
	return x.codec.Distance(version, 2*(pos-1)+1) >= 0
}

// taken reports whether everything below pos was taken, by the slot before it.
func (x *exchange) taken(pos uint64) bool {
	_, version, _ := x.load(pos - 1)
	return x.codec.Distance(version, 2*(pos+x.mask)) >= 0
}

// advance moves our position, and the hint if it lags too far behind it.
func (x *exchange) advance(pos uint64) {
	x.pos = pos
	if pos-x.hinted < x.step {
		return
	}
	x.hinted = pos
	// publishes where to begin looking; observed in ahead and start. Never moved back.
	if h := atomic.LoadUint64(x.hint); int64(pos-h) > 0 {
		atomic.CompareAndSwapUint64(x.hint, h, pos)
	}
}

// start finds where a new handle begins. A hint nobody can vouch for means a walk from
// the oldest position that the slots still tell of.
func (x *exchange) start(past func(uint64) bool) {
	h := atomic.LoadUint64(x.hint) // observes: the swap in advance
	if !past(h) {
		_, version, _ := x.load(0)
		h = version>>1 - x.mask
		if version>>1 <= x.mask {
			h = 0
		}
	}
	x.pos, x.hinted = h, h
}

func (x *exchange) storeHeader(block, version uint64) { storeWord(x.blocks, block*x.stride, version) }

// setLen records how many elements or bytes our block holds.
func (x *exchange) setLen(n uint64) { storeWord(x.blocks, x.own*x.stride+8, n) }

// payload returns a block's payload area. The block was checked when it became ours.
func (x *exchange) payload(block uint64) []byte {
	at := block * x.stride
	return x.blocks[at+layout.BlockHeader : at+x.stride : at+x.stride]
}

// length reads what setLen recorded, once; the caller checks it.
func (x *exchange) length(block uint64) uint64 { return loadWord(x.blocks, block*x.stride+8) }

// find walks to the first position that is not past, for observers.
func (x *exchange) find(past func(uint64) bool) uint64 {
	x.start(past)
	for hop := 0; hop < maxHops && past(x.pos+1); hop++ {
		x.pos++
	}
	return x.pos
}

// findPositions returns where takers and senders of an MPMC ring are. Both move on meanwhile.
func findPositions(s *shm.Segment) (head, tail uint64) {
	g := s.Header().Geometry
	x := exchange{words: layout.WordsAt(s.Memory(), &g), mask: uint64(g.Spec.Cap - 1), codec: g.SlotCodec()}
	c := s.Control()
	x.hint = &c.Head
	head = x.find(x.taken)
	x.hint = &c.Tail
	tail = x.find(x.filled)
	return head, tail
}
