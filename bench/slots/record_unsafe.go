package main

// Message records: an 8-byte header (length and a full flag) and the payload, contiguous, 8-byte aligned, padding at the
// end of a lap. Two ways to publish: by tail, or by the header itself, stored last after the header behind it was cleared
// (the second as in Aeron's term buffers, https://github.com/aeron-io/aeron, and FastFlow's null-flag queue).

import (
	"sync/atomic"
	"unsafe"

	"ringway/internal/order"
)

const (
	headerSize = 8
	full       = 1 << 63
	padding    = 1 << 62
)

// records is one side of a ring of bytes; mask+1 is its size.
type records struct {
	end
	size  int    // of the messages that the loops send
	guess uint64 // length of the last record, for popGuess
}

func (r *records) word(pos uint64) *uint64 { return (*uint64)(unsafe.Add(r.data, pos&r.mask)) }

func (r *records) payload(pos, n uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(r.data, pos&r.mask+headerSize)), n)
}

func recordSize(n uint64) uint64 { return (n + headerSize + 7) &^ 7 }

// fits makes sure that need bytes are free at pos, looking at head again if the copy does not show it.
func (r *records) fits(need uint64) bool {
	if r.pos+need-r.cached <= r.mask+1 {
		return true
	}
	r.cached = atomic.LoadUint64(&r.l.head) // observes freed bytes; pairs with the publishes of head
	return r.pos+need-r.cached <= r.mask+1
}

// push publishes by tail.
//
//go:noinline
func (r *records) push(msg []byte) bool {
	n := uint64(len(msg))
	need, rest := recordSize(n), r.mask+1-r.pos&r.mask
	if need > rest {
		if !r.fits(rest + need) {
			return false
		}
		*r.word(r.pos) = rest | padding
		r.pos += rest
	} else if !r.fits(need) {
		return false
	}
	*r.word(r.pos) = n
	copy(r.payload(r.pos, n), msg)
	r.pos += need
	order.StoreRelease(&r.l.tail, r.pos) // publishes the record and padding before it; pairs with the load in ready
	return true
}

// pop appends the next message to dst; head moves with each one.
//
//go:noinline
func (r *records) pop(dst []byte) ([]byte, bool) {
	if r.pos == r.cached && !r.ready() {
		return dst, false
	}
	dst = r.take(dst)
	order.StoreRelease(&r.l.head, r.pos) // publishes the free bytes; pairs with the load in fits
	return dst, true
}

func (r *records) take(dst []byte) []byte {
	w := *r.word(r.pos)
	if w&padding != 0 {
		r.pos += w &^ padding
		w = *r.word(r.pos)
	}
	dst = append(dst, r.payload(r.pos, w)...)
	r.pos += recordSize(w)
	return dst
}

// popGuess is pop with the length of the last record as a guess. All addresses then come from the guess, so the processor
// fetches the payload's lines together with the header's instead of after it; a wrong guess costs one mispredicted branch.
//
//go:noinline
func (r *records) popGuess(dst []byte) ([]byte, bool) {
	if r.pos == r.cached && !r.ready() {
		return dst, false
	}
	if w := *r.word(r.pos); w != r.guess {
		r.guessed(w)
	}
	dst = append(dst, r.payload(r.pos, r.guess)...)
	r.pos += recordSize(r.guess)
	order.StoreRelease(&r.l.head, r.pos) // publishes the free bytes; pairs with the load in fits
	return dst, true
}

// guessed corrects a wrong guess. It must stay a branch: a conditional move would make every address wait for w again.
func (r *records) guessed(w uint64) {
	if w&padding != 0 {
		r.pos += w &^ padding
		w = *r.word(r.pos)
	}
	r.guess = w
}

// pushWord publishes by the header. The word behind the record is cleared first, so that the consumer finds it empty
// whatever an earlier lap left there; it needs room for that word too.
//
//go:noinline
func (r *records) pushWord(msg []byte) bool {
	n := uint64(len(msg))
	need, rest := recordSize(n), r.mask+1-r.pos&r.mask
	at := r.pos
	if need > rest {
		if !r.fits(rest + need + headerSize) {
			return false
		}
		at += rest
	} else if !r.fits(need + headerSize) {
		return false
	}
	*r.word(at + need) = 0
	copy(r.payload(at, n), msg)
	order.StoreRelease(r.word(at), n|full) // publishes the record; pairs with the load in popWord
	if at != r.pos {
		order.StoreRelease(r.word(r.pos), rest|padding|full) // publishes the padding and with it the record behind it
	}
	r.pos = at + need
	order.StoreRelease(&r.l.tail, r.pos)
	return true
}

// popWord appends the next message to dst, polling its header; head moves with each one.
//
//go:noinline
func (r *records) popWord(dst []byte) ([]byte, bool) {
	w := atomic.LoadUint64(r.word(r.pos)) // observes a full record; pairs with the publish in pushWord
	if w&full == 0 {
		return dst, false
	}
	dst = r.takeWord(w, dst)
	order.StoreRelease(&r.l.head, r.pos) // publishes the free bytes; pairs with the load in fits
	return dst, true
}

func (r *records) takeWord(w uint64, dst []byte) []byte {
	if w&padding != 0 {
		r.pos += w &^ (padding | full)
		w = atomic.LoadUint64(r.word(r.pos)) // observes the record behind the padding, published before it
	}
	w &^= full
	dst = append(dst, r.payload(r.pos, w)...)
	r.pos += recordSize(w)
	return dst
}
