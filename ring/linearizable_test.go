package ring

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// runHistory lets workers push and pop at random, and returns what they saw.
func runHistory(t *testing.T, s *shm.Segment, workers, calls int, r *rand.Rand) []porcupine.Operation {
	var (
		clock   atomic.Int64
		wait    sync.WaitGroup
		there   atomic.Int64 // workers that are ready to begin
		history = make([][]porcupine.Operation, workers)
	)
	for id := range workers {
		p, err := NewProducer[uint64](s, &Options{Name: "model"})
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewConsumer[uint64](s, &Options{Name: "model"})
		if err != nil {
			t.Fatal(err)
		}
		mine := newRand(r.Uint64(), 0)
		bias := mine.IntN(3) // mostly push, mostly pop, or both
		wait.Add(1)
		go func() {
			defer wait.Done()
			for there.Add(1); there.Load() < int64(workers); {
				runtime.Gosched() // not a channel: all shall begin at once
			}
			for n := range calls {
				call := queueCall{push: mine.IntN(4) < 1+bias, value: uint64(id*calls + n)}
				var answer queueAnswer
				var err error
				began := clock.Add(1)
				if call.push {
					err = p.TryPush(call.value)
				} else {
					answer.value, err = c.TryPop()
				}
				ended := clock.Add(1)
				if answer.refused = err == ErrFull || err == ErrEmpty; err != nil && !answer.refused {
					t.Error(err)
					return
				}
				history[id] = append(history[id], porcupine.Operation{ClientId: id, Input: call, Call: began, Output: answer, Return: ended})
				if mine.IntN(8) == 0 {
					runtime.Gosched()
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	var all []porcupine.Operation
	for _, h := range history {
		all = append(all, h...)
	}
	return all
}

// TestLinearizable runs many small histories on a real ring and lets a checker find
// an order of the calls that a bounded queue could have answered like that.
func TestLinearizable(t *testing.T) {
	needSegments(t)
	r := newRand(seed(t), 0)
	runs := 1500
	if long() {
		runs = 50000
	}
	var calls, refused, overlapping int
	began := time.Now()
	for run := range runs {
		slots, workers := 1<<r.IntN(3), 2+r.IntN(3)
		spec := exchangeSpec[uint64](t, slots, 1)
		s, err := shm.Heap(spec)
		if err != nil {
			t.Fatal(err)
		}
		at := exchangeStarts(spec)
		start := at[r.IntN(len(at))] / uint64(slots) * uint64(slots)
		history := runHistory(t, exchangeAt(s, start), workers, 48/workers, r)
		if t.Failed() {
			return
		}
		for _, op := range history {
			calls++
			if op.Output.(queueAnswer).refused {
				refused++
			}
			if op.Return > op.Call+1 {
				overlapping++
			}
		}
		if result := porcupine.CheckOperationsTimeout(boundedQueue(slots), history, hangLimit); result != porcupine.Ok {
			for _, op := range history {
				t.Logf("%d: %4d to %4d %+v: %+v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
			t.Fatalf("run %d, %d slots from position %d: %s", run, slots, start, result)
		}
	}
	if overlapping == 0 || refused == 0 {
		t.Errorf("%d calls overlapped and %d were refused: nothing was tried", overlapping, refused)
	}
	t.Logf("%d histories, %d calls, %d refused, %d overlapping others, %v", runs, calls, refused, overlapping, time.Since(began).Round(time.Millisecond))
}

// TestCheckerRefuses makes sure that the checker could say no.
func TestCheckerRefuses(t *testing.T) {
	one := func(call, ret int64, in queueCall, out queueAnswer) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: ret}
	}
	push := func(at int64, v uint64) porcupine.Operation { return one(at, at+1, queueCall{true, v}, queueAnswer{}) }
	pop := func(at int64, v uint64) porcupine.Operation {
		return one(at, at+1, queueCall{}, queueAnswer{value: v})
	}
	for name, history := range map[string][]porcupine.Operation{
		"out of order": {push(1, 1), push(3, 2), pop(5, 2), pop(7, 1)},
		"twice":        {push(1, 1), pop(3, 1), pop(5, 1)},
		"too many":     {push(1, 1), push(3, 2), push(5, 3)},
		"false full":   {push(1, 1), one(3, 4, queueCall{true, 2}, queueAnswer{refused: true})},
		"false empty":  {push(1, 1), one(3, 4, queueCall{}, queueAnswer{refused: true})},
	} {
		if porcupine.CheckOperations(boundedQueue(2), history) {
			t.Errorf("%s: accepted", name)
		}
	}
}
