package ring

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"

	"ringway/shm"
)

// What a call was and what it answered.
type (
	queueCall struct {
		push  bool
		value uint64
	}
	queueAnswer struct {
		value   uint64
		refused bool // ErrFull or ErrEmpty
	}
)

// boundedQueue is what a ring with Pack 1 must look like from outside.
func boundedQueue(slots int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" }, // the values in it, a byte each
		Step: func(state, input, output any) (bool, any) {
			q, call, answer := state.(string), input.(queueCall), output.(queueAnswer)
			switch {
			case call.push && answer.refused:
				return len(q) == slots, q
			case call.push:
				return len(q) < slots, q + string([]byte{byte(call.value)})
			case answer.refused:
				return q == "", q
			}
			return q != "" && uint64(q[0]) == answer.value, q[min(1, len(q)):]
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	}
}

// worker is one process's worth of a history: a segment of its own on the common
// memory, both ends, and what they answered.
type worker struct {
	id      int
	s       *shm.Segment
	ends    queueEnds
	random  *rand.Rand
	bias    int // mostly push, mostly pop, or both
	clock   *atomic.Int64
	history []porcupine.Operation
	err     error // what no queue answers
}

// crowd is some workers on a ring that begins just below a wrap.
type crowd struct {
	slots int
	start uint64
	s     *shm.Segment
	all   []*worker
	clock atomic.Int64
}

func newCrowd(t testing.TB, r *rand.Rand) *crowd {
	t.Helper()
	slots, n := 1<<r.IntN(3), 2+r.IntN(3)
	spec := exchangeSpec[uint64](t, slots, 1)
	message := r.IntN(4) == 0
	if message {
		spec = exchangeMsgSpec(t, slots, 8)
	}
	starts := exchangeStarts(spec)
	x := &crowd{slots: slots, start: starts[r.IntN(len(starts))]}
	if x.start != 0 {
		x.start -= uint64(r.IntN(12)) // the wrap comes at another call each time
	}
	s, err := shm.CreateTemp(spec)
	wantErr(t, "CreateTemp", err, nil)
	x.s = exchangeAt(s, x.start)
	for id := range n {
		w := &worker{id: id, random: newRand(r.Uint64(), uint64(id)), bias: r.IntN(3), clock: &x.clock}
		w.s, err = shm.OpenFile(x.s.File())
		wantErr(t, "OpenFile", err, nil)
		w.ends = openEnds(t, w.s, message)
		x.all = append(x.all, w)
	}
	return x
}

// close ends all workers and counts the blocks.
func (x *crowd) close(t testing.TB, sound bool) {
	t.Helper()
	for _, w := range x.all {
		if err := firstOf(w.ends.Close(), w.s.Close()); err != nil && sound {
			t.Error(err)
		}
	}
	if err := conserved(x.s); err != nil && sound {
		t.Error("blocks:", err)
	}
	wantErr(t, "Close", x.s.Close(), nil)
}

// each is how many calls a worker makes: 48 in all.
func (x *crowd) each() int { return 48 / len(x.all) }

// act makes the nth of a worker's calls and notes it. It is false if the ring answered
// what no queue does.
func (w *worker) act(n, calls int) bool {
	call := queueCall{push: w.random.IntN(4) < 1+w.bias, value: uint64(w.id*calls + n)}
	inPlace := w.random.IntN(3) == 0
	var answer queueAnswer
	began := w.clock.Add(1)
	if call.push {
		w.err = w.ends.push(call.value, inPlace)
	} else {
		answer.value, w.err = w.ends.pop(inPlace)
	}
	ended := w.clock.Add(1)
	if answer.refused = w.err == ErrFull || w.err == ErrEmpty; w.err != nil && !answer.refused {
		return false
	}
	w.err = nil
	w.history = append(w.history, porcupine.Operation{ClientId: w.id, Input: call, Call: began, Output: answer, Return: ended})
	return true
}

func (x *crowd) history() (all []porcupine.Operation) {
	for _, w := range x.all {
		all = append(all, w.history...)
	}
	return all
}

// histories counts what was tried.
type histories struct {
	runs, calls, refused, overlapping, moved, pairs int
	starts                                          map[uint64]bool
}

func (h *histories) add(x *crowd, history []porcupine.Operation) {
	h.runs++
	if h.starts == nil {
		h.starts = map[uint64]bool{}
	}
	h.starts[x.start] = true
	for i, op := range history {
		h.calls++
		if op.Output.(queueAnswer).refused {
			h.refused++
		} else {
			h.moved++
		}
		with := 0
		for k, other := range history {
			if k != i && op.Call < other.Return && other.Call < op.Return {
				with++
			}
		}
		h.pairs += with
		if with > 0 {
			h.overlapping++
		}
	}
}

func (h *histories) String() string {
	return fmt.Sprintf("%d histories from %d positions, %d calls: %d moved something, %d were refused; %d (%.1f %%) overlapped another's, by %.2f calls on average",
		h.runs, len(h.starts), h.calls, h.moved, h.refused, h.overlapping, 100*float64(h.overlapping)/float64(h.calls), float64(h.pairs)/float64(h.calls))
}

// judge looks for an order of the calls that a bounded queue could have answered like that.
func (x *crowd) judge(t testing.TB, run int, history []porcupine.Operation) bool {
	t.Helper()
	for _, w := range x.all {
		if w.err != nil {
			t.Errorf("run %d, %d slots from position %#x: %v", run, x.slots, x.start, w.err)
		}
	}
	result := porcupine.CheckOperationsTimeout(boundedQueue(x.slots), history, hangLimit)
	if result == porcupine.Ok {
		return true
	}
	for _, op := range history {
		t.Logf("%d: %4d to %4d %+v: %+v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
	}
	t.Errorf("run %d, %d slots, %v, from position %#x: %s", run, x.slots, x.s.Spec().Payload, x.start, result)
	return false
}
