package main

import (
	"io"
	"sync/atomic"

	"ringway/layout"
	"ringway/ring"
)

const (
	defaultChunk = 32 << 10
	// A record of maxStride bytes is what recv writes at once.
	maxStride = batchBytes
	// packet is the most that one read of a pipe in packet mode brings. What does
	// not fit is lost, and only the pipe's writer knows that it is in that mode.
	packet = 4 << 10
)

// cut settles the size of raw messages: small enough that both sides are at work at
// once, large enough that system calls do not matter.
func (s *sendStream) cut(chunk int, text string) error {
	switch {
	case chunk == 0 && s.segment.Spec().Kind == layout.MPMC:
		s.chunk = max(1, min(defaultChunk, s.MaxLen()))
	case chunk == 0 && datagrams(0): // what does not fit is lost
		s.chunk = max(1, min(maxStride, s.MaxLen()))
	case chunk == 0:
		s.chunk = max(1, min(defaultChunk, s.segment.Spec().Cap/8, s.MaxLen()))
		s.stride = min(maxStride, s.segment.Spec().Cap/2)
	case s.elem != 0:
		return usagef("--chunk does not fit %s, whose elements have %s each; leave it out", s.segment.Path(), counted(s.elem, "byte"))
	case chunk > s.MaxLen():
		return usagef("--chunk %s is too large for %s, which takes at most %s at once", text, s.segment.Path(), counted(s.MaxLen(), "byte"))
	default:
		s.chunk = chunk
	}
	return nil
}

// next is how much room to take for the next raw message. If we know how much there is
// to read, that is all of it up to the end of the stride: then a lap holds a whole
// number of large records and wastes nothing on padding. If not, it is little, for what
// is taken and not used is room that a slow receiver must make first.
func (s *sendStream) next() int {
	if s.stride == 0 {
		return s.chunk
	}
	there := pending(0)
	if there <= 0 {
		return s.chunk
	}
	tail := atomic.LoadUint64(&s.segment.Control().Tail) // our own
	left := s.stride - int(tail&uint64(s.stride-1)) - layout.RecordHeader
	if left <= 0 || left < packet && s.stride > packet { // no byte, or no packet, fits behind the header
		left += s.stride
	}
	return max(1, min(there, left, s.MaxLen()))
}

// raw reads straight into the ring and publishes what each read returns. It takes no
// room before there is something to read, so that the ring's memory is not held.
func (s *sendStream) raw() error {
	for {
		if err := s.in.ready(); err != nil {
			return err
		}
		size := s.next()
		room, err := s.Reserve(size)
		if err == ring.ErrFull && pending(0) <= 0 { // it may be the end, which needs no room
			if err = s.aside(size); err == nil {
				continue
			}
		} else if err == ring.ErrFull {
			room, err = s.reserve(size)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := s.in.readNow(room)
		if err != nil || n == 0 {
			s.Abort()
			if err == io.EOF {
				err = nil
			}
			return err
		}
		if err := s.commit(n); err != nil {
			return err
		}
		s.accept(n, n)
	}
}

// aside reads at most size bytes without taking room in the ring, then sends them. At
// the end of the input the error is io.EOF.
func (s *sendStream) aside(size int) error {
	n, err := s.in.readNow(s.in.buf[:min(size, len(s.in.buf))])
	if err != nil {
		return err
	}
	return s.push(s.in.buf[:n], n)
}
