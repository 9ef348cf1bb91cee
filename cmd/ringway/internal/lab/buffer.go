package lab

import (
	"context"
	"fmt"
	"os"
	"structs"
	"sync/atomic"
)

// Buffers are the ways to run the bounded buffer, in the order in which they are shown.
var Buffers = []string{"unsafe", "semaphores", "monitor", "ring"}

// BufferRow is what one way did.
type BufferRow struct {
	Buffer         string  `json:"buffer"`
	Produced       uint64  `json:"produced"`
	Taken          uint64  `json:"taken"`
	Lost           uint64  `json:"lost"`         // items that were never taken
	Twice          uint64  `json:"twice"`        // takings of an item that had been taken
	OutOfOrder     uint64  `json:"out_of_order"` // takings of an item before one that came later
	ProducedSum    uint64  `json:"produced_sum"`
	TakenSum       uint64  `json:"taken_sum"`
	ItemsPerSecond float64 `json:"items_per_second"`
	PIDs           [2]int  `json:"pids"` // of producer and consumer
}

// Good reports whether every item was taken once and in order.
func (r *BufferRow) Good() bool {
	return r.Taken == r.Produced && r.Lost == 0 && r.Twice == 0 && r.OutOfOrder == 0 && r.TakenSum == r.ProducedSum
}

// bufferBoard is the memory that producer and consumer share. The slots follow it.
type bufferBoard struct {
	_        structs.HostLayout
	gate     word
	count    word // filled slots, which both sides change
	in, out  word // next slot to fill, which the producer changes; to empty, the consumer
	finished word // the producer put its last item
	guards
}

// boundedBuffer is one side's view of it.
type boundedBuffer struct {
	*bufferBoard
	slots []atomic.Uint64
}

// put stores an item in the next slot, take the reverse. Neither looks whether it may.
func (b *boundedBuffer) put(item uint64) {
	in := b.in.Load()
	b.slots[in].Store(item)
	b.in.Store((in + 1) % uint64(len(b.slots)))
}

func (b *boundedBuffer) take() uint64 {
	out := b.out.Load()
	item := b.slots[out].Load()
	b.out.Store((out + 1) % uint64(len(b.slots)))
	return item
}

// tally is the consumer's account.
type tally struct {
	span
	Taken      uint64 `json:"taken"`
	Lost       uint64 `json:"lost"`
	Twice      uint64 `json:"twice"`
	OutOfOrder uint64 `json:"out_of_order"`
	Sum        uint64 `json:"sum"`
	last       uint64
	seen       []bool
}

// add counts an item. Items are numbered from 1; 0 is an empty slot that was taken
// although nothing had been put into it.
func (t *tally) add(item uint64) error {
	if item >= uint64(len(t.seen)) {
		return fmt.Errorf("an item came out of the buffer that nobody put into it: %d", item)
	}
	t.Taken++
	t.Sum += item
	if t.seen[item] || item == 0 {
		t.Twice++
	} else if item < t.last {
		t.OutOfOrder++
	}
	t.seen[item] = true
	t.last = max(t.last, item)
	return nil
}

func (t *tally) close() {
	for _, seen := range t.seen[1:] {
		if !seen {
			t.Lost++
		}
	}
}

// BoundedBuffer moves items from one process to another through a buffer of slots.
func BoundedBuffer(ctx context.Context, how string, slots int, items uint64) (BufferRow, error) {
	row := BufferRow{Buffer: how, Produced: items, ProducedSum: items * (items + 1) / 2}
	memory, err := nameless(sizeOf[bufferBoard]() + slots*8)
	if err != nil {
		return row, err
	}
	defer memory.Close()
	files := []*os.File{memory}
	if how == "ring" {
		s, err := ringOfNumbers(slots)
		if err != nil {
			return row, err
		}
		defer s.Close()
		files = append(files, s.File())
	}
	producer := job{Lab: "buffer", Name: "producer", Count: items, Size: slots, Guard: how, files: files}
	consumer := producer
	consumer.Name, consumer.Side = "consumer", 1
	if err := prepareBuffer(memory, slots); err != nil {
		return row, err
	}
	workers, err := crew(ctx, producer, consumer)
	if err != nil {
		return row, err
	}
	var p span
	var c tally
	if err := workers[0].account(&p); err != nil {
		return row, err
	}
	if err := workers[1].account(&c); err != nil {
		return row, err
	}
	row.PIDs = [2]int{workers[0].PID(), workers[1].PID()}
	row.Taken, row.Lost, row.Twice, row.OutOfOrder, row.TakenSum = c.Taken, c.Lost, c.Twice, c.OutOfOrder, c.Sum
	row.ItemsPerSecond = float64(c.Taken) / (float64(c.To-p.From) / 1e9)
	return row, nil
}

// prepareBuffer makes the locks of a board ready.
func prepareBuffer(memory *os.File, slots int) error {
	b, _, detach, err := attach[bufferBoard](memory)
	if err != nil {
		return err
	}
	defer detach()
	return b.prepare(slots)
}

func init() { works["buffer"] = bufferWork }

func bufferWork(j *job) (any, error) {
	b, rest, detach, err := attach[bufferBoard](j.file(0))
	if err != nil {
		return nil, err
	}
	defer detach()
	buffer := &boundedBuffer{b, words(rest)[:j.Size]}
	ends, err := buffer.ends(j)
	if err != nil {
		return nil, err
	}
	t := tally{}
	if j.Side == 1 {
		t.seen = make([]bool, j.Count+1)
	}
	meet(&b.gate, 2)
	t.From = now()
	if j.Side == 0 {
		for item := uint64(1); item <= j.Count; item++ {
			if err := ends.put(item); err != nil {
				return nil, err
			}
		}
		b.finished.Store(1) // publishes the last count; pairs with the load in takeUnsafe
		t.To = now()
		return t.span, ends.leave()
	}
	for {
		item, ok, err := ends.take(t.Taken)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if err := t.add(item); err != nil {
			return nil, err
		}
	}
	t.To = now()
	t.close()
	return t, ends.leave()
}

// bufferEnds are the two operations of a way to run the buffer. take is told how many
// items were taken, and returns false at the end.
type bufferEnds struct {
	put   func(item uint64) error
	take  func(taken uint64) (item uint64, ok bool, err error)
	leave func() error
}

func (b *boundedBuffer) ends(j *job) (bufferEnds, error) {
	// Where every item arrives the consumer knows when it has all.
	counted := func(take func() (uint64, error)) func(uint64) (uint64, bool, error) {
		return func(taken uint64) (uint64, bool, error) {
			if taken == j.Count {
				return 0, false, nil
			}
			item, err := take()
			return item, true, err
		}
	}
	switch j.Guard {
	case "unsafe":
		return bufferEnds{b.putUnsafe, b.takeUnsafe, nothing}, nil
	case "semaphores":
		return bufferEnds{b.putSemaphores, counted(b.takeSemaphores), nothing}, nil
	case "monitor":
		return bufferEnds{b.putMonitor, counted(b.takeMonitor), nothing}, nil
	case "ring":
		return numbersThrough(j, counted)
	}
	return bufferEnds{}, fmt.Errorf("there is no buffer %q", j.Guard)
}

// putUnsafe is the textbook's first producer: it waits while the buffer is full, and
// counts in a variable that the consumer counts in, too.
func (b *boundedBuffer) putUnsafe(item uint64) error {
	full := int64(len(b.slots))
	await(func() bool { return int64(b.count.Load()) < full })
	b.put(item)
	count := b.count.Load()
	b.count.Store(count + 1) // wipes out what the consumer stored since the load
	return nil
}

// takeUnsafe ends when the producer has and the buffer looks empty.
func (b *boundedBuffer) takeUnsafe(uint64) (item uint64, ok bool, err error) {
	over := false
	await(func() bool {
		if int64(b.count.Load()) > 0 {
			return true
		}
		over = b.finished.Load() == 1 && int64(b.count.Load()) <= 0 // observes the producer's last count
		return over
	})
	if over {
		return 0, false, nil
	}
	item = b.take()
	count := b.count.Load()
	b.count.Store(count - 1)
	return item, true, nil
}
