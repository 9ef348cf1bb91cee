package layout

import (
	"structs"
	"sync/atomic"
)

// Control is the page behind the header: one line for each word that the two
// sides hand over, so that a line has one writer wherever the protocol has one.
// All of it starts as zero except State, which starts as StateOpen.
//
// Tail and Head are bare integers because the busy path stores them with a
// release store (internal/order); everyone loads them with sync/atomic.
type Control struct {
	_        structs.HostLayout
	Tail     uint64 // next position to fill; SPSC: stored by the producer only
	_        [Line - 8]byte
	Head     uint64 // next position to take; SPSC: stored by the consumer only
	_        [Line - 8]byte
	NotEmpty uint32 // event: consumers park on it
	_        [Line - 4]byte
	NotFull  uint32 // event: producers park on it
	_        [Line - 4]byte
	State    atomic.Uint32 // StateOpen, then at most once StateShutdown or StateCorrupt
	Reason   atomic.Uint32 // of StateCorrupt, a Reason constant
	Where    atomic.Uint64 // of StateCorrupt, the position at which it was seen
	Seal     atomic.Uint64 // after shutdown: final tail<<1 | 1; 0 until it is agreed
	_        [Line - 24]byte
	Claim    uint64 // SPSC: the producer's stores reach no further than this position; for observers
	_        [Line - 8]byte
	Reaped   atomic.Uint64 // seats settled after their owner died; shared by all
	_        [Line - 8]byte
	Orphans  atomic.Uint64 // MPMC: how often a seat became an orphan, so that consumers look for it
	_        [Line - 8]byte
	Destroy  atomic.Uint32 // 1: the last to leave removes the segment; never 0 again
	_        [Line - 4]byte
	_        [3 * Line]byte
	Attach   [AttachTable]Attachment
}

// States of a ring.
const (
	StateOpen     = 1
	StateShutdown = 2
	StateCorrupt  = 3
)

// Reasons of StateCorrupt.
const (
	ReasonPositions = 1 // head and tail are further apart than the capacity
	ReasonRecord    = 2 // a record word that no producer writes
	ReasonSlot      = 3 // a slot word that no exchange leaves behind
	ReasonState     = 4 // the state word itself
	ReasonReported  = 5 // by a person or a tool
	ReasonSeat      = 6 // a seat's record that no owner leaves behind
	ReasonBlock     = 7 // a block with an impossible count or length
)

// ReasonText says what a corrupt ring's reason means.
func ReasonText(r uint32) string {
	switch r {
	case ReasonPositions:
		return "head and tail are further apart than the capacity"
	case ReasonRecord:
		return "a record word that no producer writes"
	case ReasonSlot:
		return "a slot word that no exchange leaves behind"
	case ReasonState:
		return "an unknown state word"
	case ReasonReported:
		return "reported by a tool"
	case ReasonSeat:
		return "a seat's record that no owner leaves behind"
	case ReasonBlock:
		return "a block with an impossible count or length"
	}
	return "an unknown reason"
}

// PackSeal encodes an agreed final tail; UnpackSeal gives it back relative to
// a tail that is at or behind it by less than 2^62.
func PackSeal(tail uint64) uint64 { return tail<<1 | 1 }

// UnpackSeal returns the final tail of a seal word, which carries 63 bits of
// it, as the position nearest to near; ok is false while none is agreed.
func UnpackSeal(seal, near uint64) (final uint64, ok bool) {
	d := int64((seal>>1-near)<<1) >> 1 // 63-bit difference, sign extended
	return near + uint64(d), seal&1 == 1
}
