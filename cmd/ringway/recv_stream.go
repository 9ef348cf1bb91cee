package main

import (
	"encoding/binary"

	"ringway/ring"
	"ringway/shm"
)

// recvStream moves a ring to standard output. It writes first and releases afterwards.
type recvStream struct {
	*ring.MsgConsumer
	patience
	tally
	ahead
	mode  framing
	alone bool  // on an mpmc ring: only the message in hand is ours to look at
	limit int64 // messages to take, 0: no limit
	out   outlet
	batch int // bytes of messages that one write carries at most, unless one alone has more

	buf    []byte   // small messages and framing on their way
	cut    int      // what of buf is in pieces
	pieces [][]byte // of buf and of the ring, in the order of writing
}

const (
	// batchBytes and maxPieces bound what is written at once, and comes again if we are
	// killed before it is released.
	batchBytes = 64 << 10
	maxPieces  = 64
	// directBytes is from where on copying costs more than a piece of its own.
	directBytes = 4 << 10
	// runBytes bounds a write of fixed elements straight from the ring.
	runBytes = 1 << 20
)

// run receives until the ring has ended or the limit is reached (nil), a signal comes
// (errStopped) or something fails.
func (r *recvStream) run() error {
	r.buf = make([]byte, 0, batchBytes)
	r.batch = batchBytes
	if r.elem == 0 {
		r.batch = min(batchBytes, int(r.mask+1)/2) // the sender needs room meanwhile
	}
	for r.limit == 0 || r.messages.Load() < r.limit {
		if err := r.stop.Err(); err != nil {
			return err
		}
		msg, err := r.Peek()
		switch err {
		case nil:
			r.served()
			err = r.deliver(msg)
		case ring.ErrEmpty:
			err = r.wait(r.MsgConsumer)
		case shm.ErrClosed:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deliver writes the oldest message, and with it what waits behind, and releases what
// it wrote. The oldest one is msg, which was peeked.
func (r *recvStream) deliver(msg []byte) error {
	if r.alone {
		r.clear()
		r.put(msg)
		if err := r.flush(); err != nil {
			return err
		}
		n := len(msg)
		r.Release()
		r.add(1, n)
		return nil
	}
	r.restart()
	left := uint64(batchBytes) // of messages; more do not fit a batch
	if r.limit != 0 {
		left = min(left, uint64(r.limit-r.messages.Load()))
	}
	var count, size int
	var err error
	if r.elem != 0 && r.mode == raw {
		run, n := r.ahead.run(min(left, max(1, runBytes/r.elem), r.mask/2+1)) // the sender needs room meanwhile
		count, size = n, len(run)
		err = r.write([][]byte{run})
	} else {
		count, size, err = r.gather(int(left))
	}
	if count == 0 && err == nil { // somebody scribbles over what is behind msg
		r.clear()
		r.put(msg)
		count, size, err = 1, len(msg), r.flush()
	}
	if err != nil {
		return err
	}
	for i := range count {
		if i > 0 {
			if _, err := r.Peek(); err != nil {
				return err
			}
		}
		r.Release()
	}
	r.add(count, size)
	return nil
}

// gather writes up to limit messages with one call. It returns how many, and the bytes
// in them.
func (r *recvStream) gather(limit int) (count, size int, err error) {
	r.clear()
	for count < limit && len(r.pieces) < maxPieces {
		before := r.at
		msg, ok := r.next()
		if !ok {
			break
		}
		if count > 0 && (size+len(msg) > r.batch || len(r.buf)+directBytes+frameHeader > cap(r.buf)) {
			r.at = before // it opens the next batch
			break
		}
		r.put(msg)
		count++
		size += len(msg)
	}
	return count, size, r.flush()
}

func (r *recvStream) clear() { r.buf, r.pieces, r.cut = r.buf[:0], r.pieces[:0], 0 }

// put adds a message to the batch, framed: a small one is copied, a large one stays
// in the ring.
func (r *recvStream) put(msg []byte) {
	if r.mode == frames {
		r.buf = binary.LittleEndian.AppendUint32(r.buf, uint32(len(msg)))
	}
	if len(msg) < directBytes {
		r.buf = append(r.buf, msg...)
	} else {
		r.close()
		r.pieces = append(r.pieces, msg)
	}
	if r.mode == lines {
		r.buf = append(r.buf, '\n')
	}
}

// close makes a piece of what was copied since the last one.
func (r *recvStream) close() {
	if len(r.buf) > r.cut {
		r.pieces = append(r.pieces, r.buf[r.cut:])
		r.cut = len(r.buf)
	}
}

// flush writes the batch.
func (r *recvStream) flush() error {
	r.close()
	if len(r.pieces) == 0 {
		return nil // a message may be empty, and a raw one leaves nothing then
	}
	return r.write(r.pieces)
}

func (r *recvStream) write(pieces [][]byte) error {
	r.out.ease(func() int { return pending(1) }, nap)
	return outputError(writeAll(pieces))
}
