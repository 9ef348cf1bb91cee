package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"ringway/ring"
	"ringway/shm"
)

// sendStream moves standard input into a ring.
type sendStream struct {
	*ring.MsgProducer
	patience
	tally
	segment *shm.Segment
	in      *input
	elem    int // size of an element on a fixed ring, else 0
	chunk   int // most that a raw message carries
	stride  int // raw records end at multiples of it; 0: wherever they end
}

// run sends until the input ends (nil), a signal comes (errStopped) or something fails.
func (s *sendStream) run(mode framing) error {
	var err error
	switch {
	case mode == lines:
		err = s.lines()
	case mode == frames:
		err = s.frames()
	case s.elem != 0:
		err = s.elements()
	default:
		err = s.raw()
	}
	if errors.Is(err, shm.ErrClosed) {
		before := "1 message was"
		if n := s.messages.Load(); n != 1 {
			before = counted(n, "message") + " were"
		}
		return fmt.Errorf("%s: %w; %s sent before", s.segment.Path(), err, before)
	}
	return err
}

// push sends msg, waiting for room. of is how many bytes of input it took.
func (s *sendStream) push(msg []byte, of int) error {
	for {
		err := s.TryPush(msg)
		if err == nil {
			s.accept(len(msg), of)
			return nil
		}
		if err != ring.ErrFull {
			return err
		}
		if err := s.wait(s.MsgProducer); err != nil {
			return err
		}
	}
}

// reserve waits for room for n bytes and returns it.
func (s *sendStream) reserve(n int) ([]byte, error) {
	for {
		room, err := s.Reserve(n)
		if err != ring.ErrFull {
			return room, err
		}
		if err := s.wait(s.MsgProducer); err != nil {
			return nil, err
		}
	}
}

// commit publishes the reservation; on an mpmc ring that is what waits for room.
func (s *sendStream) commit(n int) error {
	for {
		err := s.Commit(n)
		if err != ring.ErrFull {
			return err
		}
		if err := s.wait(s.MsgProducer); err != nil {
			return err
		}
	}
}

func (s *sendStream) accept(n, of int) {
	s.served()
	s.add(1, n)
	s.in.sent += int64(of)
}

// lines sends each line without its newline, and what is behind the last one.
func (s *sendStream) lines() error {
	in, longest := s.in, s.MaxLen()
	looked := 0 // of buf[at:end], known to hold no newline
	for number := int64(1); ; {
		line := in.buf[in.at:in.end]
		if i := bytes.IndexByte(line[looked:], '\n'); i >= 0 {
			n := looked + i
			if err := s.line(line[:n], n+1, number); err != nil {
				return err
			}
			in.at += n + 1
			number++
			looked = 0
			continue
		}
		if len(line) > longest {
			return s.badLine(number, fmt.Sprintf("is longer than %s", counted(longest, "byte")))
		}
		looked = len(line)
		err := in.more(longest + 2)
		if err == io.EOF && looked > 0 {
			return s.line(in.buf[in.at:in.end], looked, number)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *sendStream) line(line []byte, of int, number int64) error {
	if len(line) > s.MaxLen() || s.elem != 0 && len(line) != s.elem {
		return s.badLine(number, fmt.Sprintf("has %s", counted(len(line), "byte")))
	}
	return s.push(line, of)
}

func (s *sendStream) badLine(number int64, what string) error {
	return fmt.Errorf("line %d %s, %s; nothing of it was sent", number, what, s.takes())
}

// takes says what messages the ring takes.
func (s *sendStream) takes() string {
	if s.elem != 0 {
		return fmt.Sprintf("an element of %s has %d", s.segment.Path(), s.elem)
	}
	return fmt.Sprintf("%s takes messages of at most %d", s.segment.Path(), s.MaxLen())
}

const frameHeader = 4

// frames sends each message that follows its length.
func (s *sendStream) frames() error {
	for number := int64(1); ; number++ {
		if err := s.in.need(frameHeader); err == io.EOF {
			if n := s.in.end - s.in.at; n != 0 {
				return fmt.Errorf("frame %d is truncated: the input ends after %d of the 4 bytes of its length", number, n)
			}
			return nil
		} else if err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(s.in.buf[s.in.at:])
		if uint64(n) > uint64(s.MaxLen()) || s.elem != 0 && int(n) != s.elem {
			return fmt.Errorf("frame %d has %s, %s; nothing of it was sent", number, counted(n, "byte"), s.takes())
		}
		s.in.at += frameHeader
		if err := s.whole(int(n), frameHeader); err == io.EOF {
			return fmt.Errorf("frame %d is truncated: the input ends within its %s", number, counted(n, "byte"))
		} else if err != nil {
			return err
		}
	}
}

// whole sends the next n bytes of input as one message; before them, extra bytes of
// input were taken for it. The error is io.EOF if the input ends before.
func (s *sendStream) whole(n, extra int) error {
	if in := s.in; in.end-in.at >= n {
		err := s.push(in.buf[in.at:in.at+n], n+extra)
		if err == nil {
			in.at += n
		}
		return err
	}
	room, err := s.reserve(n)
	if err != nil {
		return err
	}
	if _, err := s.in.fill(room); err != nil {
		s.Abort()
		return err
	}
	if err := s.commit(n); err != nil {
		return err
	}
	s.accept(n, n+extra)
	return nil
}

// elements cuts the input into the elements of a fixed ring.
func (s *sendStream) elements() error {
	for {
		// Large elements go straight into the ring, but the end of the input needs no room there.
		if s.in.at == s.in.end && (s.elem < inputBuffer || pending(0) <= 0) {
			if err := s.in.more(0); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
		if err := s.whole(s.elem, 0); err == io.EOF {
			left := s.in.taken - s.in.sent
			if left == 0 {
				return nil
			}
			return fmt.Errorf("the input ends with %s left over, an element of %s has %d; pad it", counted(left, "byte"), s.segment.Path(), s.elem)
		} else if err != nil {
			return err
		}
	}
}
