package ring

// Variable-length messages on an SPSC ring of bytes: contiguous records behind a
// length word, padding at the end of a lap (after Agrona's OneToOneRingBuffer, whose
// descriptor is the model; here a record is published by the position, not by its
// length). The same two halves as in spsc.go, counted in bytes.
//
// A message takes 8 bytes for its word and a multiple of 8 for itself. It never
// wraps, so in place means contiguous; half of the ring always fits, because what padding
// takes away is less than the record that needed it.
//
// A ring of fixed elements can be seen the same way (NewRawProducer): then a message is
// one slot and has no word.

import (
	"fmt"

	"ringway/layout"
	"ringway/shm"
)

// msgs is the data area as both message ends see it.
type msgs struct {
	data []byte
	mask uint64
	max  uint64 // longest message
	elem uint64 // size of an element on a raw view of fixed slots, 0 for records
}

func msgsIn(s *shm.Segment) msgs {
	g := s.Header().Geometry
	m := msgs{data: s.Memory()[g.DataOff : g.DataOff+g.DataSize], mask: uint64(g.Spec.Cap - 1), max: uint64(g.Spec.Elem.Size)}
	if g.Spec.Payload == layout.Fixed {
		m.elem = m.max
	}
	return m
}

// slot returns the element at a position of a raw view.
func (m *msgs) slot(pos uint64) []byte {
	at := (pos & m.mask) * m.elem
	return m.data[at : at+m.elem : at+m.elem]
}

// message returns the n bytes behind the record word at a position.
func (m *msgs) message(pos, n uint64) []byte {
	at := pos&m.mask + layout.RecordHeader
	return m.data[at : at+n : at+n]
}

// claim makes room for a message of n bytes and returns it, unpublished. It sets
// p.at, where its record begins, behind whatever padding that takes.
func (p *MsgProducer) claim(n uint64) ([]byte, error) {
	if n > p.max || p.elem != 0 && n != p.elem {
		return nil, p.tooLarge(n)
	}
	if p.x != nil {
		if err := p.fillable(); err != nil {
			return nil, err
		}
		return p.x.payload(p.x.own)[:n:n], nil
	}
	if p.elem != 0 {
		if p.fast == p.tail {
			if err := p.room(1); err != nil {
				return nil, err
			}
		}
		p.at = p.tail
		return p.slot(p.at), nil
	}
	size, index := layout.RecordSize(n), p.tail&p.mask
	pad := uint64(0)
	if left := p.mask + 1 - index; size > left {
		pad = left
	}
	if p.fast-p.tail < pad+size {
		if err := p.room(pad + size); err != nil {
			return nil, err
		}
	}
	// For observers: from here on bytes below this position may change. Ahead of the
	// stores below where the machine keeps stores in order.
	p.announce(p.tail + pad + size)
	p.at, p.back = p.tail+pad, p.last
	if pad != 0 {
		storeWord(p.data, index, uint64(layout.MakeRecord(layout.RecordPadding, pad-layout.RecordHeader, p.last)))
		p.back = pad
	}
	return p.message(p.at, n), nil
}

// finish writes the word of the message that claim made room for, of which the
// first n bytes count, and publishes it.
func (p *MsgProducer) finish(n uint64) error {
	if p.x != nil {
		if p.elem != 0 {
			n = 1
		}
		return p.sendBlock(n)
	}
	if p.elem != 0 {
		return p.publish(p.at + 1)
	}
	storeWord(p.data, p.at&p.mask, uint64(layout.MakeRecord(layout.RecordData, n, p.back)))
	p.last = layout.RecordSize(n)
	p.need = 1
	return p.publish(p.at + p.last)
}

// piece is the most that deposit copies at once: from 1 MiB on the runtime's copy writes
// past the cache on amd64, and the other side would have to fetch the message from memory.
const piece = 256 << 10

// deposit copies a message into memory of its length, by way of the cache.
func deposit(dst, msg []byte) {
	for len(msg) > piece {
		copy(dst[:piece], msg)
		dst, msg = dst[piece:], msg[piece:]
	}
	copy(dst, msg)
}

func (p *MsgProducer) tooLarge(n uint64) error {
	if p.elem != 0 {
		return fmt.Errorf("%w or too small: %d bytes, an element of %s has %d", ErrTooLarge, n, p.segment.Path(), p.elem)
	}
	return fmt.Errorf("%w: %d bytes, %s takes at most %d; create a larger ring or cut the message", ErrTooLarge, n, p.segment.Path(), p.max)
}

// oldest returns the message at head without releasing it, and sets c.held to
// what it takes. Padding before it is skipped and goes with it.
func (c *MsgConsumer) oldest() ([]byte, error) {
	if c.x != nil {
		if err := c.receive(); err != nil {
			return nil, err
		}
		c.held, c.x.told = 1, c.x.again
		at, n := uint64(0), c.x.left
		if c.elem != 0 {
			at, n = c.x.index*c.elem, c.elem
		}
		return c.x.payload(c.x.block)[at : at+n : at+n], nil
	}
	for {
		if c.fast == c.head {
			if n := c.found(); n-1 < c.size {
				c.tail = c.head + n
				c.arm()
			} else if n == 0 {
				return nil, ErrEmpty
			} else if err := c.refresh(); err != nil {
				return nil, err
			}
		}
		if c.elem != 0 {
			c.held = 1
			return c.slot(c.head), nil
		}
		// Ours since the acquire of tail, so a peer that behaves does not touch it;
		// one that does not is why the word is read once and checked.
		index := c.head & c.mask
		rec := layout.Record(loadWord(c.data, index&^7))
		if index&7 != 0 || !rec.Fits(index, c.mask+1, c.tail-c.head, c.max) {
			return nil, c.fail(c.corrupt(layout.ReasonRecord, c.head))
		}
		size := layout.RecordSize(rec.Len())
		if rec.Kind() == layout.RecordPadding {
			if size == c.tail-c.head { // padding is published together with the record behind it
				return nil, c.fail(c.corrupt(layout.ReasonRecord, c.head))
			}
			c.head += size
			c.arm()
			continue
		}
		c.held = size
		return c.message(c.head, rec.Len()), nil
	}
}

// release passes the message that oldest returned back to the producer.
func (c *MsgConsumer) release() {
	if c.x == nil {
		c.publish(c.head + c.held)
	} else if c.elem != 0 {
		_ = c.drop(1) // an error sticks
	} else {
		_ = c.drop(c.x.left) // the same
	}
}
