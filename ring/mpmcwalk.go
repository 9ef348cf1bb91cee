package ring

// What a slot that is not for us means, and how the handles of an MPMC ring find their place: walking
// from their own last position, with the hints as shortcuts. The words on the way prove where they are; docs/PROTOCOL.md,
// section 4. And how they ask the caches for what lies ahead.

import (
	"sync/atomic"

	"ringway/internal/failpoint"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

// again counts the tries of a call.
func (x *exchange) again() error {
	if x.hops++; x.hops >= maxHops {
		return errScribbled
	}
	return errAgain
}

// refuseSend says why a slot cannot be filled for t, or moves on to another position.
func (x *exchange) refuseSend(t, word uint64) error {
	for hop := 0; ; hop++ {
		version, block := x.codec.Unpack(layout.SlotWord(word), t&x.mask)
		switch d := x.codec.Distance(version, 2*t); {
		case d == 0: // free for t
			switch {
			case x.sealed(word):
				return shm.ErrClosed
			case block >= x.count:
				return errScribbled
			}
			return x.again()
		case d > 0: // t is filled
			next := x.ahead(t, d, d&1, hop, x.filled)
			x.since += next - t
			x.pos = next
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
		if x.hops++; x.hops >= maxHops {
			return errScribbled
		}
		t = x.pos
		word, _, _ = x.load(t)
		failpoint.Look(failpoint.LookedAtSlot)
	}
}

// refuseTake says why there is no message at h to take, or moves on to another position.
func (x *exchange) refuseTake(h, word uint64) error {
	for hop := 0; ; hop++ {
		version, block := x.codec.Unpack(layout.SlotWord(word), h&x.mask)
		switch d := x.codec.Distance(version, 2*h+1); {
		case d == 0: // holds message h
			if block >= x.count {
				return errScribbled
			}
			return x.again()
		case d > 0: // h is taken
			next := x.ahead(h, d+1, 0, hop, x.taken)
			x.since += next - h
			x.pos = next
		case d == -1: // free for h: not sent yet
			if x.sealed(word) {
				return shm.ErrClosed
			}
			return ErrEmpty
		default: // h lies beyond what was ever sent
			return errScribbled
		}
		if x.hops++; x.hops >= maxHops {
			return errScribbled
		}
		h = x.pos
		word, _, _ = x.load(h)
		failpoint.Look(failpoint.LookedAtSlot)
	}
}

// askEvery is after how many steps a walk looks at the hint.
const askEvery = 16

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
		// observes: the swap in moveHint. Believed only if the slot before it agrees.
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

// moveHint moves the hint, which lags too far behind us, to our position.
func (x *exchange) moveHint(pos uint64) {
	x.hinted = pos
	// publishes where to begin looking; observed in ahead and start. Never moved back.
	if h := atomic.LoadUint64(x.hint); int64(pos-h) > 0 {
		atomic.CompareAndSwapUint64(x.hint, h, pos)
	}
}

// begin is start for a new sender. A consumer that had our seat before us may have meant to
// give our block back, a lap ahead of where we are, and lost: such a version would pass
// for a later one than that of our send. And if our block still holds a message, we begin
// behind that: an observer that is copying it must find another version there.
func (x *exchange) begin(freed words) {
	x.start(x.filled)
	sent := atomic.LoadUint64(x.given.at(x.own)) // observes: an earlier owner's. Believed only if the slot agrees.
	if next := layout.PositionOf(sent, x.pos) + 1; sent&1 == 1 && int64(next-x.pos) > 0 && x.filled(next) {
		x.pos, x.since = next, next
	}
	// publishes to observers, ahead of what we fill the block with; and to recovery, as in send.
	atomic.StoreUint64(freed.at(x.own), 2*x.pos)
}

// start finds where a new handle begins. A hint nobody can vouch for means a walk from
// the oldest position that the slots still tell of.
func (x *exchange) start(past func(uint64) bool) {
	h := atomic.LoadUint64(x.hint) // observes: the swap in moveHint
	if !past(h) {
		_, version, _ := x.load(0)
		h = version>>1 - x.mask
		if version>>1 <= x.mask {
			h = 0
		}
	}
	x.pos, x.hinted, x.since = h, h, h
}

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
	x := exchangeOf(s, nil)
	c := s.Control()
	x.hint = &c.Head
	head = x.find(x.taken)
	x.hint = &c.Tail
	tail = x.find(x.filled)
	return head, tail
}

// slotLine is how many slot words a cache line has; with the first of each an end asks for lines ahead.
const slotLine = 8

// askSend asks for the blocks that the next line of slots will give us.
func (x *exchange) askSend() {
	if at, ok := x.coming(0); ok {
		order.PrefetchEachWrite(x.words.at(at), x.blockMask, &x.area[0], x.stride)
	}
}

// askTake is askSend for messages.
func (x *exchange) askTake() {
	if at, ok := x.coming(x.full); ok {
		order.PrefetchEach(x.words.at(at), x.blockMask, &x.area[0], x.stride)
	}
}

// coming asks for a line of slots ahead, and returns the next line if all its slots are free, or full, for
// the positions to come. Each swap waits for all loads and stores before it, so the lines of a burst would
// come one by one.
func (x *exchange) coming(full uint64) (slot uint64, ok bool) {
	if x.askMask != slotLine-1 {
		return 0, false
	}
	last := x.pos + 2*slotLine - 1
	order.PrefetchWrite(x.words.line((last + 1) & x.mask))
	// observes nothing: whatever the line names is only a hint to the caches.
	word := atomic.LoadUint64(x.words.at(last & x.mask))
	return (x.pos + slotLine) & x.mask, word-word&x.blockMask == x.free(last)|full
}
