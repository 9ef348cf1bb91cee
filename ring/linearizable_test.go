package ring

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"ringway/internal/order"
	"ringway/internal/race"
)

// run lets the workers push and pop at random, all at once, each on a thread.
func (x *crowd) run() {
	var wait sync.WaitGroup
	var there, met atomic.Int64
	n := int64(len(x.all))
	for _, w := range x.all {
		wait.Go(func() {
			for there.Add(1); there.Load() < n; {
				runtime.Gosched() // not a channel: all shall begin at once
			}
			calls := x.each()
			for i := range calls {
				meet(&met)
				for range w.random.IntN(12) {
					order.Pause()
				}
				if !w.act(i, calls) {
					return
				}
			}
		})
	}
	wait.Wait()
}

// meet lets two workers go on at the same time: the first waits for the second, not for ever.
func meet(met *atomic.Int64) {
	n := met.Add(1)
	for spins := 0; n%2 == 1 && met.Load() == n && spins < 400; spins++ {
		if order.Pause(); spins%100 == 99 {
			runtime.Gosched()
		}
	}
}

// TestLinearizable runs many small histories on a real ring and lets a checker find
// an order of the calls that a bounded queue could have answered like that. Here the
// processors overlap the calls; TestFailpointLinearizable does it step by step.
func TestLinearizable(t *testing.T) {
	needSegments(t)
	r := newRand(seed(t), 0)
	runs := 3000
	if long() {
		runs = 60000
	}
	if race.Enabled {
		runs /= 6 // it sees nothing in mapped memory
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))) // the kernel cuts into calls, too
	var seen histories
	began := time.Now()
	for run := 0; run < runs && !t.Failed(); run++ {
		x := newCrowd(t, r)
		x.run()
		history := x.history()
		seen.add(x, history)
		x.judge(t, run, history)
		x.close(t, true)
	}
	if least := seen.runs / 100; seen.overlapping < least || seen.refused == 0 {
		t.Errorf("%d calls overlapped, want %d at least, and %d were refused: little was tried", seen.overlapping, least, seen.refused)
	}
	t.Logf("%v, %v", &seen, time.Since(began).Round(time.Millisecond))
}

// swapped returns a history in which two pops have got each other's value, though one was over
// before the other began, and so were the pushes: no queue answers that.
func swapped(history []porcupine.Operation) ([]porcupine.Operation, bool) {
	pushes := map[uint64]porcupine.Operation{}
	for _, op := range history {
		if in := op.Input.(queueCall); in.push && !op.Output.(queueAnswer).refused {
			pushes[in.value] = op
		}
	}
	for i, a := range history {
		for k, b := range history {
			va, vb := a.Output.(queueAnswer), b.Output.(queueAnswer)
			if a.Input.(queueCall).push || b.Input.(queueCall).push || va.refused || vb.refused || a.Return >= b.Call {
				continue
			}
			if pushes[va.value].Return < pushes[vb.value].Call {
				all := append([]porcupine.Operation(nil), history...)
				all[i].Output, all[k].Output = vb, va
				return all, true
			}
		}
	}
	return nil, false
}

// TestCheckerRefuses makes sure that the checker could say no: to histories made up, and to
// real ones of which two answers are swapped.
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
	needSegments(t)
	r := newRand(seed(t), 0)
	refused := 0
	for range 200 {
		x := newCrowd(t, r)
		x.run()
		history, ok := swapped(x.history())
		x.close(t, true)
		if !ok {
			continue
		}
		if porcupine.CheckOperationsTimeout(boundedQueue(x.slots), history, hangLimit) != porcupine.Illegal {
			t.Fatal("a real history with two answers swapped is accepted")
		}
		refused++
	}
	if refused < 50 {
		t.Errorf("only %d of 200 histories had answers to swap", refused)
	}
	t.Logf("%d real histories with two answers swapped, all refused", refused)
}
