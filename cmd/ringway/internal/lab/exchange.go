package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"structs"
	"time"
)

// exchanged is the account of either side; together they make one.
type exchanged struct {
	span
	Messages uint64  `json:"messages"`
	Median   float64 `json:"median"` // of round trips, in nanoseconds
}

// exchangeBoard is what the two sides share besides the transport.
type exchangeBoard struct {
	_     structs.HostLayout
	warm  word
	start word
}

// exchange runs a stream from one process to another, or round trips between them.
func exchange(ctx context.Context, kind, transport string, size int, spell time.Duration) (exchanged, error) {
	var e exchanged
	memory, err := nameless(sizeOf[exchangeBoard]())
	if err != nil {
		return e, err
	}
	defer memory.Close()
	there, err := openChannel(transport, size)
	if err != nil {
		return e, err
	}
	defer there.close()
	near := job{Lab: kind, Name: transport + " sender", Guard: transport, Size: size, For: spell, files: []*os.File{memory, there.to}}
	far := near
	far.Name, far.Side, far.files = transport+" receiver", 1, []*os.File{memory, there.from}
	if kind == "trip" {
		back, err := openChannel(transport, size)
		if err != nil {
			return e, err
		}
		defer back.close()
		near.files, far.files = append(near.files, back.from), append(far.files, back.to)
	}
	workers, err := crew(ctx, near, far)
	if err != nil {
		return e, err
	}
	var other exchanged
	if err := workers[0].account(&e); err != nil {
		return e, err
	}
	if err := workers[1].account(&other); err != nil {
		return e, err
	}
	if e.Messages != other.Messages {
		return e, fmt.Errorf("%d messages went in and %d came out; this is a bug", e.Messages, other.Messages)
	}
	e.To = max(e.To, other.To)
	return e, nil
}

func init() {
	works["stream"] = func(j *job) (any, error) { return exchangeWork(j, false) }
	works["trip"] = func(j *job) (any, error) { return exchangeWork(j, true) }
}

// traveller is one side of an exchange: out is nil at the end of a stream, in at its
// beginning.
type traveller struct {
	out   sender
	in    receiver
	trips []uint64
}

const (
	warmUp   = 10 * time.Millisecond // before it is measured
	fewTimes = 5                     // messages at least, however long they take: enough to touch all of a ring's memory
)

func exchangeWork(j *job, trip bool) (any, error) {
	b, _, detach, err := attach[exchangeBoard](j.file(0))
	if err != nil {
		return nil, err
	}
	defer detach()
	var t traveller
	outFile, inFile := 1, 2
	if j.Side == 1 {
		outFile, inFile = 2, 1
	}
	if j.Side == 0 || trip {
		if t.out, err = newSender(j.Guard, j.file(outFile), j.Size); err != nil {
			return nil, err
		}
		defer t.out.Close()
	}
	if j.Side == 1 || trip {
		if t.in, err = newReceiver(j.Guard, j.file(inFile), j.Size); err != nil {
			return nil, err
		}
		defer t.in.Close()
	}
	act := t.follow
	if j.Side == 0 {
		act = t.lead
	}
	meet(&b.warm, 2)
	if _, err := act(warmUp, j.Size); err != nil {
		return nil, err
	}
	t.trips = make([]uint64, 0, 1<<20)
	meet(&b.start, 2)
	return act(j.For, j.Size)
}

// lead sends messages until time is up, and then the last; with a way back it waits for
// the answer to each and takes the time.
func (t *traveller) lead(spell time.Duration, size int) (e exchanged, err error) {
	look := uint64(max(1, 4096/size)) // at the clock, at so many messages; a stream of small ones goes faster than it
	if t.in != nil {
		look = 1
	}
	e.From = now()
	for last := false; !last; {
		began := now()
		last = began-e.From >= uint64(spell) && e.Messages >= fewTimes
		for n := e.Messages; e.Messages < n+look || last; {
			number := e.Messages
			if last {
				number = lastMessage
			}
			if err := t.post(number); err != nil {
				return e, err
			}
			if t.in != nil {
				if _, err := t.receive(number); err != nil {
					return e, err
				}
				if len(t.trips) < cap(t.trips) && !last {
					t.trips = append(t.trips, now()-began)
				}
			}
			if last {
				break
			}
			e.Messages++
		}
	}
	e.To = now()
	if len(t.trips) > 0 {
		slices.Sort(t.trips)
		e.Median = float64(t.trips[len(t.trips)/2])
	}
	return e, nil
}

// follow receives until the last message, and answers if there is a way back.
func (t *traveller) follow(time.Duration, int) (e exchanged, err error) {
	e.From = now()
	for {
		last, err := t.receive(e.Messages)
		if err != nil {
			return e, err
		}
		if t.out != nil {
			number := e.Messages
			if last {
				number = lastMessage
			}
			if err := t.post(number); err != nil {
				return e, err
			}
		}
		if last {
			e.To = now()
			return e, nil
		}
		e.Messages++
	}
}

func (t *traveller) post(number uint64) error {
	m, err := t.out.next()
	if err != nil {
		return err
	}
	fill(m, number)
	return t.out.send()
}

func (t *traveller) receive(number uint64) (last bool, err error) {
	m, err := t.in.next()
	if err != nil {
		return false, err
	}
	if last, err = read(m, number); err != nil {
		return false, err
	}
	return last, t.in.done()
}
