package layout

import "encoding/binary"

// Format writes everything a new segment starts with into mem, which is zero
// and FileSize long, except the ready word: that one the creator stores last.
func (h *Header) Format(mem []byte) {
	h.Encode(mem)
	ControlAt(mem).State.Store(StateOpen)
	g := &h.Geometry
	if g.Spec.Kind != MPMC {
		return
	}
	codec := g.SlotCodec()
	for i, words := 0, WordsAt(mem, g); i < len(words); i++ {
		words[i] = uint64(codec.Pack(2*uint64(i), uint64(i))) // slot i is free for position i and names block i
		binary.LittleEndian.PutUint64(mem[g.FreedOff+uint64(i)*VersionStride:], 2*uint64(i))
	}
	for i, seats := 0, SeatsAt(mem, g.Spec.Seats); i < len(seats); i++ {
		seats[i].Rec = uint64(MakeSeatRec(RecHeld, uint64(g.Spec.Cap+i), 0))
	}
}

// BlockOff is where an MPMC block begins: Lead bytes, then the payload.
func (g *Geometry) BlockOff(block uint64) uint64 { return g.DataOff + block*g.Stride }
