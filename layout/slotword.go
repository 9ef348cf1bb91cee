package layout

import "math/bits"

// SlotWord is the state of one MPMC slot: whose block it names and which
// position it stands for.
//
//	 63             b+2 b+1  b  b-1          0
//	+------------------+---+---+--------------+
//	| lap              | s | f | block        |     b = bits.Len(blocks-1)
//	+------------------+---+---+--------------+
//
// f is 1 when the block holds the message of position lap*slots + slot, 0 when
// the slot is free for it. s is 1 once the ring was shut down and this is the slot that
// must not be filled again: the end of the stream. The version 2*position + f only
// grows: 2p, 2p+1, 2(p+slots), and so on.
type SlotWord uint64

// SlotCodec packs and unpacks slot words for one geometry.
type SlotCodec struct {
	slotBits  uint8
	blockBits uint8
	unused    uint8 // high bits of a version that a word cannot carry
}

// SlotCodec returns the packing of this geometry's slot words.
func (g *Geometry) SlotCodec() SlotCodec {
	slot := bits.Len(uint(g.Spec.Cap) - 1)
	block := bits.Len64(g.Blocks - 1)
	return SlotCodec{slotBits: uint8(slot), blockBits: uint8(block), unused: uint8(1 + block - slot)}
}

// Pack makes the word of a version and a block, not sealed. The lap is cut to the
// bits that are left for it.
func (c SlotCodec) Pack(version, block uint64) SlotWord {
	lap := version >> 1 >> c.slotBits
	return SlotWord(lap<<(c.blockBits+2) | (version&1)<<c.blockBits | block)
}

// Unpack returns the version of the word of a slot, and its block. The caller
// checks the block against the number of blocks.
func (c SlotCodec) Unpack(w SlotWord, slot uint64) (version, block uint64) {
	block = uint64(w) & (1<<c.blockBits - 1)
	full := uint64(w) >> c.blockBits & 1
	lap := uint64(w) >> (c.blockBits + 2)
	return (lap<<c.slotBits|slot)<<1 | full, block
}

// Full returns the bit that says that the block holds a message; the bits below name the block.
func (c SlotCodec) Full() SlotWord { return 1 << c.blockBits }

// Seal returns the bit that seals a slot word.
func (c SlotCodec) Seal() SlotWord { return 1 << (c.blockBits + 1) }

// PositionOf returns the position that a whole version stands for. It carries 63 bits of
// it; of the positions that fit it is the one nearest to near.
func PositionOf(version, near uint64) uint64 {
	d := int64((version>>1-near)<<1) >> 1 // 63-bit difference, sign extended
	return near + uint64(d)
}

// Distance is how far version a is ahead of b, as far as slot words can tell.
func (c SlotCodec) Distance(a, b uint64) int64 { return int64((a-b)<<c.unused) >> c.unused }
