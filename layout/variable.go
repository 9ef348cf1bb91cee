package layout

import "fmt"

// Var is the kind of a segment that holds one value instead of a ring. Kinds below 16
// are rings.
const Var Kind = 16

// VarCopies is how many copies of its value a variable has: the one that is read and
// the one that the next update writes.
const VarCopies = 2

// VarSpec returns the spec of a variable whose value elem describes.
func VarSpec(elem Elem) Spec { return Spec{Kind: Var, Payload: Fixed, Cap: 1, Elem: elem} }

// Ring reports whether segments of this kind hold a ring.
func (k Kind) Ring() bool { return k == SPSC || k == MPMC }

// normalValue is Normal for what holds one value: a variable or a shared struct.
func (s Spec) normalValue() (Spec, error) {
	bad := func(format string, args ...any) (Spec, error) {
		return Spec{}, fmt.Errorf("%w: %s", ErrSpec, fmt.Sprintf(format, args...))
	}
	if s.Seats == 0 {
		s.Seats = DefaultSeats
	}
	if s.Pack == 0 {
		s.Pack = 1
	}
	if s.Fence == Auto {
		s.Fence = Full // an update is rare and locked, so there is nothing to save; in a struct nobody needs it
	}
	what := s.Kind.Noun()
	switch a := s.Elem.Align; {
	case s.Payload != Fixed:
		return bad("%s holds one fixed value, no messages", what)
	case s.Cap != 1:
		return bad("%s holds 1 value, not %d", what, s.Cap)
	case s.Pack != 1:
		return bad("pack needs an mpmc ring of fixed elements")
	case s.Fence != Full:
		return bad("the fence of %s must be auto or full, not %v", what, s.Fence)
	case s.Seats < 2 || s.Seats > MaxSeats:
		return bad("seats must be 2 to %d, not %d", MaxSeats, s.Seats)
	case s.Elem.Size == 0 || s.Elem.Size > MaxElem:
		return bad("element size must be 1 to %d bytes, not %d", MaxElem, s.Elem.Size)
	case a == 0 || a > 16 || a&(a-1) != 0 || s.Elem.Size%a != 0:
		return bad("element alignment must be 1, 2, 4, 8 or 16 and divide the size %d, not %d", s.Elem.Size, a)
	}
	return s, nil
}

// valueGeometry derives the layout of a variable or a shared struct from its normal spec. Each copy begins on
// a line of its own, so there is room to read its last bytes as a word.
func (s Spec) valueGeometry() Geometry {
	copies := uint64(VarCopies)
	if s.Kind == Shared {
		copies = 1 // used in place
	}
	data := alignUp(SeatOff+uint64(s.Seats)*Line, Page)
	g := Geometry{Spec: s, Stride: alignUp(uint64(s.Elem.Size), Line), Blocks: copies, WordOff: data, DataOff: data}
	g.DataSize = copies * g.Stride // at most 2 * 2^30
	g.FileSize = int64(alignUp(data+g.DataSize, Page))
	return g
}
