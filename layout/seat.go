package layout

import (
	"encoding/binary"
	"strings"
	"structs"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// Seat is one line of the seat table. Only the holder of the seat's lock byte
// stores to it. PID, Start and Name are for people; nothing depends on them.
type Seat struct {
	_     structs.HostLayout
	State atomic.Uint32 // SeatFree, SeatTaken or SeatOrphan
	Epoch atomic.Uint32 // +1 each time the seat is taken
	Role  atomic.Uint32 // RoleProducer or RoleConsumer of the current or last owner
	PID   atomic.Uint32
	Start atomic.Uint64 // the process's start time, clock ticks after boot
	Since atomic.Int64  // when the seat was taken, Unix nanoseconds

	Rec  uint64 // MPMC: the exchange in flight, a SeatRec; release-stored by the owner, read by recovery
	Ver  uint64 // MPMC: the slot version it expects
	Part uint64 // MPMC: elements of the held block already released

	Parks       atomic.Uint64 // times an owner slept in the kernel
	Wakes       atomic.Uint64 // times an owner woke the other side
	Rescues     atomic.Uint64 // wake-ups that only the bounded park noticed
	Redelivered atomic.Uint64 // messages handed out again after a consumer died

	Pos atomic.Uint64 // MPMC: the owner's last position, for observers

	name [nameWords]atomic.Uint64 // UTF-8, NUL padded
}

// MaxName is the longest owner name in bytes; SetName cuts a longer one.
const MaxName = 32

const nameWords = MaxName / 8

// SetName stores an owner's name, for people. Only the seat's owner calls it.
func (s *Seat) SetName(name string) { packName(s.name[:], name) }

func packName(words []atomic.Uint64, name string) {
	var b [MaxName]byte
	copy(b[:], strings.ToValidUTF8(name[:min(len(name), 8*len(words))], ""))
	for i := range words {
		words[i].Store(binary.LittleEndian.Uint64(b[8*i:]))
	}
}

// OwnerName returns the current or last owner's name. It may be torn while the
// seat changes hands; it holds printable characters only.
func (s *Seat) OwnerName() string { return unpackName(s.name[:]) }

func unpackName(words []atomic.Uint64) string {
	var b [MaxName]byte
	for i := range words {
		binary.LittleEndian.PutUint64(b[8*i:], words[i].Load())
	}
	n := strings.IndexByte(string(b[:]), 0)
	if n < 0 {
		n = MaxName
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(b[:n]))
}

// States of a seat. A taken seat whose lock is free belonged to a process that died.
const (
	SeatFree   = 0
	SeatTaken  = 1
	SeatOrphan = 2 // MPMC: its last owner is gone and had not released the message in it
)

// Role is the side a seat acts for.
type Role uint32

const (
	RoleProducer Role = 1
	RoleConsumer Role = 2
)

// String returns "producer" or "consumer", and "none" for anything else.
func (r Role) String() string {
	switch r {
	case RoleProducer:
		return "producer"
	case RoleConsumer:
		return "consumer"
	}
	return "none"
}

// The exclusive seats of an SPSC ring.
const (
	ProducerSeat = 0
	ConsumerSeat = 1
)

// LockByte is the offset in the segment file of the byte whose OFD write lock
// is the right to a seat. It lies beyond any segment's end.
func LockByte(seat int) int64 { return MaxFile + int64(seat) }

// TenureByte is the offset of a seat's second lock, which its owner holds besides the
// first from before it says that the seat is taken until after it has left it, and nobody
// else ever. So who finds the first lock held and this one free has met somebody who is
// taking, leaving or settling the seat, not an owner at work.
func TenureByte(seat int) int64 { return MaxFile + 1<<32 + int64(seat) }
