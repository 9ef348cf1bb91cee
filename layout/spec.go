package layout

import (
	"errors"
	"fmt"
	"math/bits"
)

// Errors of this package; packages shm and ring return them under their own names.
var (
	ErrSpec    = errors.New("spec does not fit")                  // a Spec that no segment can have, or that the segment does not have
	ErrFormat  = errors.New("not a usable ringway segment")       // foreign, half-built, damaged or truncated
	ErrVersion = errors.New("unsupported segment version")        // made by a newer or older format
	ErrType    = errors.New("element type cannot be shared")      // holds a pointer, or is another type than the ring's
	ErrCorrupt = errors.New("ring is corrupt and stays unusable") // sticky
)

// Kind says how many producers and consumers a ring serves, or that it is no ring (Var, Shared).
type Kind uint8

const (
	SPSC Kind = 1 // one producer, one consumer
	MPMC Kind = 2 // any number of both
)

// String returns "spsc", "mpmc", "var" or "shared", or the number of another kind.
func (k Kind) String() string {
	switch k {
	case SPSC:
		return "spsc"
	case MPMC:
		return "mpmc"
	case Var:
		return "var"
	case Shared:
		return "shared"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Payload says what one unit of a ring is.
type Payload uint8

const (
	Fixed   Payload = 1 // elements of one size
	Message Payload = 2 // byte messages of any length up to a limit
)

// String returns "fixed" or "message", or the number of another payload.
func (p Payload) String() string {
	switch p {
	case Fixed:
		return "fixed"
	case Message:
		return "message"
	}
	return fmt.Sprintf("payload(%d)", uint8(p))
}

// Fence says who pays for the store-load barrier between "publish" and "is anybody parked?".
type Fence uint8

const (
	Auto       Fence = 0 // Asymmetric where the creator can, else Full; never found in a segment
	Asymmetric Fence = 1 // whoever parks, with membarrier(2); publishing is one plain store
	Full       Fence = 2 // whoever publishes, with one locked instruction each time
)

// String returns "auto", "asymmetric" or "full", or the number of another fence.
func (f Fence) String() string {
	switch f {
	case Auto:
		return "auto"
	case Asymmetric:
		return "asymmetric"
	case Full:
		return "full"
	}
	return fmt.Sprintf("fence(%d)", uint8(f))
}

// Elem describes one element: its size and alignment in bytes and the
// fingerprint of its fields (see [ElemOf]).
type Elem struct {
	Size, Align uint32
	Hash        uint64
}

// Limits of the format. A segment beyond them is refused at create and at open.
const (
	MaxSlots     = 1 << 29
	MaxMsgBytes  = 1 << 32 // capacity of an SPSC message ring
	MinMsgBytes  = 64
	MaxElem      = 1 << 30
	MaxSeats     = 1024
	DefaultSeats = 64
	MaxPack      = 1 << 16
	MaxFile      = 1 << 40 // the seats' lock bytes lie above it
)

// Spec is what a ring is: everything a creator chooses and an opener can compare.
type Spec struct {
	Kind    Kind
	Payload Payload
	Cap     int   // Fixed and MPMC: slots; SPSC messages: bytes; a power of two
	Elem    Elem  // MPMC messages: Elem.Size is the block size, the longest message
	Pack    int   // MPMC Fixed: elements per block; 0 or 1: strict FIFO
	Seats   int   // 0: DefaultSeats
	Fence   Fence // Auto, Asymmetric, Full
}

// Normal returns s with every default written out, or an error that wraps
// [ErrSpec] and says which field is wrong and what it may be.
func (s Spec) Normal() (Spec, error) {
	bad := func(format string, args ...any) (Spec, error) {
		return Spec{}, fmt.Errorf("%w: %s", ErrSpec, fmt.Sprintf(format, args...))
	}
	if s.Kind == Var || s.Kind == Shared {
		return s.normalValue()
	}
	if !s.Kind.Ring() {
		return bad("kind must be spsc or mpmc, not %v", s.Kind)
	}
	if s.Payload != Fixed && s.Payload != Message {
		return bad("payload must be fixed or message, not %v", s.Payload)
	}
	if s.Fence > Full {
		return bad("fence must be auto, asymmetric or full, not %v", s.Fence)
	}
	if s.Seats == 0 {
		s.Seats = DefaultSeats
	}
	if s.Seats < 2 || s.Seats > MaxSeats {
		return bad("seats must be 2 to %d, not %d", MaxSeats, s.Seats)
	}
	if s.Cap <= 0 || bits.OnesCount(uint(s.Cap)) != 1 {
		return bad("capacity must be a power of two, not %d", s.Cap)
	}
	bytesRing := s.Kind == SPSC && s.Payload == Message
	if bytesRing {
		if s.Cap < MinMsgBytes || s.Cap > MaxMsgBytes {
			return bad("capacity must be %d to %d bytes, not %d", MinMsgBytes, MaxMsgBytes, s.Cap)
		}
		if s.Elem.Align != 0 && s.Elem.Align != 1 || s.Elem.Hash != 0 {
			return bad("a message ring has no element type")
		}
		limit := MaxRecordPayload(uint64(s.Cap))
		if s.Elem.Size == 0 {
			s.Elem.Size = uint32(limit)
		}
		if uint64(s.Elem.Size) > limit {
			return bad("messages of %d bytes need a capacity of at least %d bytes, not %d", s.Elem.Size, uint64(1)<<bits.Len64(2*(uint64(s.Elem.Size)+RecordHeader)-1), s.Cap)
		}
		s.Elem.Align = 1
	} else {
		if s.Cap > MaxSlots {
			return bad("slots must be 1 to %d, not %d", MaxSlots, s.Cap)
		}
		if s.Elem.Size == 0 && s.Payload == Message {
			return bad("element size must be 1 to %d bytes, not 0: an mpmc message ring needs the length of its longest message", MaxElem)
		}
		if s.Elem.Size == 0 || s.Elem.Size > MaxElem {
			return bad("element size must be 1 to %d bytes, not %d", MaxElem, s.Elem.Size)
		}
		if s.Payload == Message {
			if s.Elem.Align != 0 && s.Elem.Align != 1 || s.Elem.Hash != 0 {
				return bad("a message ring has no element type")
			}
			s.Elem.Align = 1
		}
		if a := s.Elem.Align; a == 0 || a > 16 || a&(a-1) != 0 || s.Elem.Size%a != 0 {
			return bad("element alignment must be 1, 2, 4, 8 or 16 and divide the size %d, not %d", s.Elem.Size, a)
		}
	}
	if s.Pack == 0 {
		s.Pack = 1
	}
	if s.Pack < 1 || s.Pack > MaxPack {
		return bad("pack must be 1 to %d elements, not %d", MaxPack, s.Pack)
	}
	if s.Pack > 1 && (s.Kind != MPMC || s.Payload != Fixed) {
		return bad("pack needs an mpmc ring of fixed elements")
	}
	return s, nil
}

// Matches reports whether a ring of spec have serves a caller who wants s.
// Fence Auto in s matches either fence.
func (s Spec) Matches(have Spec) bool {
	if s.Fence == Auto {
		s.Fence = have.Fence
	}
	want, err := s.Normal()
	return err == nil && want == have
}

// FileSize returns the size in bytes of a segment of this spec, all of it
// reserved when the segment is created.
func (s Spec) FileSize() (int64, error) {
	g, err := s.Geometry()
	return g.FileSize, err
}

// String describes the spec in a few words, for people.
func (s Spec) String() string {
	slots, bytes := counted(s.Cap, "slot"), counted(int(s.Elem.Size), "byte")
	switch {
	case s.Kind == Var || s.Kind == Shared:
		return fmt.Sprintf("%v, one value of %s", s.Kind, bytes)
	case s.Kind == SPSC && s.Payload == Message:
		return fmt.Sprintf("%v messages, %s", s.Kind, counted(s.Cap, "byte"))
	case s.Payload == Message:
		return fmt.Sprintf("%v messages, %s of up to %s", s.Kind, slots, bytes)
	case s.Pack > 1:
		return fmt.Sprintf("%v fixed, %s of %d elements of %s", s.Kind, slots, s.Pack, bytes)
	}
	return fmt.Sprintf("%v fixed, %s of %s", s.Kind, slots, bytes)
}

// counted writes a number and what it counts.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
