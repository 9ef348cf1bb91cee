package ring

import (
	"errors"
	"fmt"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// Errors to match with errors.Is, besides those of package shm. ErrFull, ErrEmpty
// and shm.ErrClosed are returned bare; the others say more.
var (
	ErrFull     = errors.New("ring is full")
	ErrEmpty    = errors.New("ring is empty")
	ErrTooLarge = errors.New("message is too large") // for this ring, at any time
	ErrKind     = shm.ErrKind                        // elements asked of messages or the other way round, or a ring of a variable
	ErrType     = layout.ErrType                     // T holds a pointer, or is not the ring's type
	ErrCorrupt  = layout.ErrCorrupt                  // a peer or a tool damaged the ring; sticky
)

// Spec returns the spec of a ring of T with the given number of slots, a power of
// two. The error matches ErrType if T holds anything that means something in one
// process only (a pointer, string, slice, map, channel, func, interface or
// uintptr), and shm.ErrSpec if slots is out of range.
func Spec[T any](k layout.Kind, slots int) (layout.Spec, error) {
	elem, err := layout.ElemOf[T]()
	if err != nil {
		return layout.Spec{}, err
	}
	s := layout.Spec{Kind: k, Payload: layout.Fixed, Cap: slots, Elem: elem}
	if _, err := s.Normal(); err != nil {
		return layout.Spec{}, err
	}
	return s, nil
}

// MsgSpec returns the spec of a ring of messages. On an SPSC ring capacity is its
// size in bytes, a power of two; a message of n bytes takes n+8 of it, rounded up
// to a multiple of 8, and maxMsg 0 allows the longest there can be, half of the ring
// less 8. On an MPMC ring capacity is the number of messages it holds, a power of
// two, and each may have up to maxMsg bytes, which has no default there. The error
// matches shm.ErrSpec.
func MsgSpec(k layout.Kind, capacity, maxMsg int) (layout.Spec, error) {
	s := layout.Spec{Kind: k, Payload: layout.Message, Cap: capacity}
	if maxMsg < 0 || maxMsg > layout.MaxElem && k != layout.SPSC || int64(maxMsg) > layout.MaxMsgBytes/2 {
		return layout.Spec{}, fmt.Errorf("%w: messages of %d bytes are impossible", layout.ErrSpec, maxMsg)
	}
	s.Elem.Size = uint32(maxMsg)
	if _, err := s.Normal(); err != nil {
		return layout.Spec{}, err
	}
	return s, nil
}

// Options tune a handle. The zero value, like a nil pointer, is good.
type Options struct {
	// Name says who holds the seat, to people; at most layout.MaxName bytes. Empty:
	// the program's name.
	Name string

	// Spin is how long a blocked call polls before it parks in the kernel. 0
	// adapts to the gaps between recent messages, up to about 100 µs. Below 0 never
	// parks; that burns a CPU for as long as nothing comes, and a call that is refused after a burst
	// returns at once. Otherwise a refused call pauses first, so that streams flow better: for up to 32 PAUSE
	// instructions, about a microsecond, and where processors are far apart for up to 128 if that makes
	// the stream faster, which is tried out now and then. Who serves several rings in turn may not want that. On a
	// machine with one CPU every blocked call parks at once, and nobody pauses.
	Spin time.Duration
}

// Stats is a ring's positions and what happened on its slow paths. Positions
// count slots, or bytes on an SPSC message ring. The counts are totals over all
// who ever had a seat, since the ring was created.
type Stats struct {
	Head, Tail  uint64 // next position to take, to fill; free-running
	Len, Cap    int    // in the same unit
	Parks       uint64 // times somebody slept in the kernel
	Wakes       uint64 // times somebody woke the other side
	Rescues     uint64 // lost wake-ups that a bounded park noticed; 0 unless somebody died
	Reaped      uint64 // seats settled after their owner died
	Redelivered uint64 // messages delivered again because a consumer died
}
