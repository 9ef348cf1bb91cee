package lab

import (
	"fmt"
	"io"
	"os"
)

// Transport is a way from one process to the other.
type Transport struct {
	Name   string `json:"name"`
	Shared bool   `json:"shared"` // memory that both have, rather than copies through the kernel
	What   string `json:"what"`
	Mark   rune   `json:"-"` // in the plot
}

// Transports are all there are, in the order in which they are shown.
var Transports = []Transport{
	{"ring", true, "a ring of this library; messages are made and used in place", 'R'},
	{"monitor", true, "a bounded buffer in shared memory, guarded by a Mutex and two Cond", 'M'},
	{"pipe", false, "write(2) and read(2) of a pipe", 'P'},
	{"socket", false, "write(2) and read(2) of a Unix stream socket", 'S'},
	{"mq", false, "mq_send and mq_receive of a POSIX message queue", 'Q'},
}

// roomFor is how much may be on its way, for those transports that can be told.
const roomFor = 1 << 20

// sender is the near end of a way. A message is filled in the memory that next returns,
// and goes with send.
type sender interface {
	next() ([]byte, error)
	send() error
	Close() error
}

// receiver is the far end. next waits for a message, which is valid until done.
type receiver interface {
	next() ([]byte, error)
	done() error
	Close() error
}

// channel is a way as the parent made it: what each end is given.
type channel struct {
	from, to *os.File // of receiver and sender; may be the same
	close    func() error
}

// openChannel makes a way for messages of size bytes.
func openChannel(transport string, size int) (channel, error) {
	switch transport {
	case "ring":
		return openRing(size)
	case "monitor":
		return openMonitor(size)
	case "pipe", "socket":
		from, to, err := streamPair(transport, roomFor)
		if err != nil {
			return channel{}, err
		}
		return channel{from, to, func() error { from.Close(); return to.Close() }}, nil
	case "mq":
		return openQueue(size)
	}
	return channel{}, fmt.Errorf("there is no transport %q", transport)
}

// newSender and newReceiver open the ends in a worker.
func newSender(transport string, f *os.File, size int) (sender, error) {
	switch transport {
	case "ring":
		return newRingSender(f, size)
	case "monitor":
		end, err := newMonitorEnd(f, size)
		return &monitorSender{end}, err
	case "mq":
		return &queueEnd{f, make([]byte, size)}, nil
	}
	return &streamSender{f, make([]byte, size)}, nil
}

func newReceiver(transport string, f *os.File, size int) (receiver, error) {
	switch transport {
	case "ring":
		return newRingReceiver(f)
	case "monitor":
		end, err := newMonitorEnd(f, size)
		return &monitorReceiver{end}, err
	case "mq":
		return &queueReceiver{queueEnd{f, make([]byte, size)}}, nil
	}
	return &streamReceiver{f, make([]byte, size)}, nil
}

// streamSender writes messages of one size, one write(2) each.
type streamSender struct {
	f      *os.File
	buffer []byte
}

func (s *streamSender) next() ([]byte, error) { return s.buffer, nil }

func (s *streamSender) send() error {
	_, err := s.f.Write(s.buffer)
	return err
}

func (s *streamSender) Close() error { return s.f.Close() }

// streamReceiver reads them.
type streamReceiver struct {
	f      *os.File
	buffer []byte
}

func (r *streamReceiver) next() ([]byte, error) {
	_, err := io.ReadFull(r.f, r.buffer)
	return r.buffer, err
}

func (r *streamReceiver) done() error  { return nil }
func (r *streamReceiver) Close() error { return r.f.Close() }
