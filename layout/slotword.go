package layout

import "math/bits"

// SlotWord is the state of one MPMC slot: whose block it names and which
// position it stands for.
//
//	 63              b+1  b  b-1          0
//	+--------------------+--+--------------+
//	| lap                |f | block        |     b = bits.Len(blocks-1)
//	+--------------------+--+--------------+
//
// f is 1 when the block holds the message of position lap*slots + slot, 0 when
// the slot is free for it. The version 2*position + f only grows: 2p, 2p+1,
// 2(p+slots), and so on; two equal words are the same state.
type SlotWord uint64

// SlotCodec packs and unpacks slot words for one geometry.
type SlotCodec struct {
	slotBits  uint8
	blockBits uint8
}

// SlotCodec returns the packing of this geometry's slot words.
func (g *Geometry) SlotCodec() SlotCodec {
	return SlotCodec{
		slotBits:  uint8(bits.Len(uint(g.Spec.Cap) - 1)),
		blockBits: uint8(bits.Len64(g.Blocks - 1)),
	}
}

// Pack makes the word of a version and a block. The lap is cut to the bits
// that are left for it.
func (c SlotCodec) Pack(version, block uint64) SlotWord {
	lap := version >> 1 >> c.slotBits
	return SlotWord(lap<<(c.blockBits+1) | (version&1)<<c.blockBits | block)
}

// Unpack returns the version of the word of a slot, and its block. The caller
// checks the block against the number of blocks.
func (c SlotCodec) Unpack(w SlotWord, slot uint64) (version, block uint64) {
	block = uint64(w) & (1<<c.blockBits - 1)
	full := uint64(w) >> c.blockBits & 1
	lap := uint64(w) >> (c.blockBits + 1)
	return (lap<<c.slotBits|slot)<<1 | full, block
}

// VersionMask cuts a version to the bits a slot word can carry; versions are
// compared under it.
func (c SlotCodec) VersionMask() uint64 {
	return 1<<(64-c.blockBits+c.slotBits) - 1 // shift of 64 or more gives all ones
}
