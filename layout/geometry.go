package layout

import (
	"fmt"
	"math/bits"
)

// Constants of the format, never of the machine.
const (
	Line       = 128  // what one side writes shares no line with what another writes
	Page       = 4096 // regions begin at multiples of it
	HeaderSize = Page
	ControlOff = HeaderSize
	SeatOff    = ControlOff + Page

	WordStride    = 8 // MPMC slot words, packed
	VersionStride = 8 // MPMC block versions, packed
	CountSize     = 8 // MPMC blocks of messages or of several elements begin with a length or count
	blockAlign    = 64
)

// Geometry is where everything lies in a segment: byte offsets from its start
// and strides, all derived from the Spec. Every bound a reader applies comes
// from a private Geometry, never from the mapping.
type Geometry struct {
	Spec     Spec   // normal form
	Stride   uint64 // SPSC fixed: of one slot; MPMC: of one block; SPSC messages: 1
	Blocks   uint64 // MPMC: slots + seats; variables: VarCopies; shared structs: 1; else 0
	WordOff  uint64 // MPMC: first slot word; else equal to DataOff
	SentOff  uint64 // MPMC: the versions at which blocks were last sent; else 0
	FreedOff uint64 // MPMC: those at which they were last given back; else 0
	DataOff  uint64
	DataSize uint64
	FileSize int64
}

// Geometry derives the layout of a segment of this spec.
// The error wraps [ErrSpec].
func (s Spec) Geometry() (Geometry, error) {
	s, err := s.Normal()
	if err != nil {
		return Geometry{}, err
	}
	if !s.Kind.Ring() {
		return s.valueGeometry(), nil
	}
	g := Geometry{Spec: s, Stride: 1, DataSize: uint64(s.Cap)}
	size := uint64(s.Elem.Size)
	end := alignUp(SeatOff+uint64(s.Seats)*Line, Page)
	g.WordOff = end
	if s.Kind == MPMC {
		g.Blocks = uint64(s.Cap) + uint64(s.Seats)
		g.Stride = blockStride(g.Lead() + uint64(s.Pack)*size)
		g.SentOff = alignUp(end+uint64(s.Cap)*WordStride, Page)
		g.FreedOff = alignUp(g.SentOff+g.Blocks*VersionStride, Page)
		end = alignUp(g.FreedOff+g.Blocks*VersionStride, Page)
		hi, lo := bits.Mul64(g.Blocks, g.Stride)
		if hi != 0 || lo > MaxFile {
			return Geometry{}, tooBig(s)
		}
		g.DataSize = lo
	} else if s.Payload == Fixed {
		g.Stride = size
		g.DataSize = uint64(s.Cap) * size // at most 2^29 * 2^30
	}
	g.DataOff = end
	if s.Kind == SPSC {
		g.WordOff = end
	}
	if g.DataSize > MaxFile || end+g.DataSize > MaxFile {
		return Geometry{}, tooBig(s)
	}
	g.FileSize = int64(alignUp(end+g.DataSize, Page))
	return g, nil
}

// Lead is how many bytes of an MPMC block come before its payload: the count or the
// length, which a block of always one element does without.
func (g *Geometry) Lead() uint64 {
	if g.Spec.Payload == Fixed && g.Spec.Pack == 1 {
		return 0
	}
	return CountSize
}

// blockStride keeps small blocks within one cache line, as many as fit, and lets
// others begin at one.
func blockStride(size uint64) uint64 {
	if size > blockAlign {
		return alignUp(size, blockAlign)
	}
	return max(8, uint64(1)<<bits.Len64(size-1))
}

// MaxMsg is the longest message in bytes, 0 for a ring of fixed elements.
func (g *Geometry) MaxMsg() int {
	if g.Spec.Payload == Message {
		return int(g.Spec.Elem.Size)
	}
	return 0
}

func tooBig(s Spec) error {
	return fmt.Errorf("%w: %v needs more than %d bytes; use fewer slots, smaller elements or fewer seats", ErrSpec, s, int64(MaxFile))
}

func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }
