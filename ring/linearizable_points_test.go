//go:build failpoint

package ring

import (
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"ringway/internal/failpoint"
	"ringway/layout"
)

// schedule runs the workers of a crowd one shared-memory operation at a time: each is a
// coroutine that stands still at every failpoint until chance lets it go on. The same
// seed gives the same history.
type schedule struct {
	x        *crowd
	current  *worker
	yield    map[*worker]func(struct{}) bool
	steps    int
	switches int
	mutant   func(d *schedule, w *worker, p failpoint.Point, pass func()) // what it breaks
}

// at is where a worker stands still.
func (d *schedule) at(p failpoint.Point) {
	w := d.current
	if w == nil {
		return // opening and closing
	}
	pass := func() { d.yield[w](struct{}{}) }
	if d.mutant != nil {
		d.mutant(d, w, p, pass)
		return
	}
	pass()
}

// play lets chance decide who takes the next step. Some schedules change often, some
// let one worker run on while others stand in the middle of a call.
func (d *schedule) play(t testing.TB) {
	t.Helper()
	x := d.x
	r := newRand(x.all[0].random.Uint64(), 1)
	stay := []int{0, 2, 6, 20}[r.IntN(4)]
	d.yield = map[*worker]func(struct{}) bool{}
	failpoint.Hook = d.at
	failpoint.OnLook = func(int) { d.at(failpoint.Point(failpoint.Points)) }
	defer func() { failpoint.Hook, failpoint.OnLook = nil, nil }()
	next := map[*worker]func() (struct{}, bool){}
	calls := x.each()
	for _, w := range x.all {
		resume, stop := iter.Pull(func(yield func(struct{}) bool) {
			d.yield[w] = yield
			for i := range calls {
				yield(struct{}{})
				if !w.act(i, calls) {
					return
				}
			}
		})
		defer stop()
		next[w] = resume
	}
	left := append([]*worker(nil), x.all...)
	for i := 0; len(left) > 0; d.steps++ {
		if r.IntN(1+stay) == 0 || i >= len(left) {
			was := i
			if i = r.IntN(len(left)); i != was {
				d.switches++
			}
		}
		if d.steps > 1<<20 {
			t.Fatalf("%d workers of %d still work after %d steps", len(left), len(x.all), d.steps)
		}
		d.current = left[i]
		_, more := next[left[i]]()
		d.current = nil
		if !more {
			left = append(left[:i], left[i+1:]...)
		}
	}
}

// TestFailpointLinearizable gives a checker histories whose calls overlap at every
// shared-memory operation: chance decides after each who takes the next.
func TestFailpointLinearizable(t *testing.T) {
	needSegments(t)
	r := newRand(seed(t), 0)
	runs := 5000
	if long() {
		runs = 200000
	}
	var seen histories
	steps, switches := 0, 0
	began := time.Now()
	for run := 0; run < runs && !t.Failed(); run++ {
		x := newCrowd(t, r)
		d := &schedule{x: x}
		d.play(t)
		history := x.history()
		seen.add(x, history)
		steps, switches = steps+d.steps, switches+d.switches
		x.judge(t, run, history)
		x.close(t, true)
	}
	if 2*seen.overlapping < seen.calls || 10*seen.refused < seen.calls || 10*seen.moved < seen.calls {
		t.Errorf("%v: want half of the calls to overlap, and a tenth of each kind", &seen)
	}
	t.Logf("%v; %d steps, %d times somebody else went on; %v", &seen, steps, switches, time.Since(began).Round(time.Millisecond))
}

// Mutants that the checker must refuse. Each breaks one step of the exchange for one worker in a while.
var mutants = map[string]func(d *schedule, w *worker, p failpoint.Point, pass func()){
	// The swap is no swap: it stores over whatever came between its look and its store.
	"a torn swap": func(d *schedule, w *worker, p failpoint.Point, pass func()) {
		if p != failpoint.SendPending && p != failpoint.TakePending {
			pass()
			return
		}
		x := w.exchange(p)
		slot := x.words.at(x.seat.Ver >> 1 & x.mask)
		was := atomic.LoadUint64(slot)
		pass()
		atomic.StoreUint64(slot, was)
	},
	// The sender's block is changed after it was passed on.
	"a late payload": func(d *schedule, w *worker, p failpoint.Point, pass func()) {
		if p != failpoint.SendExchanged {
			pass()
			return
		}
		x := w.exchange(p)
		sent := x.payload(layout.SeatRec(atomic.LoadUint64(&x.seat.Rec)).Give())
		good := sent[0]
		sent[0] ^= 0x40 // stands for what the store that is late replaces
		pass()
		sent[0] = good
	},
	// A slot's version counts on without its message having been taken.
	"a version skipped": func(d *schedule, w *worker, p failpoint.Point, pass func()) {
		if p == failpoint.TakeHinted {
			x := w.exchange(p)
			for i := range x.mask + 1 {
				if v, block := x.codec.Unpack(layout.SlotWord(*x.words.at(i)), i); v&1 == 1 {
					atomic.StoreUint64(x.words.at(i), uint64(x.codec.Pack(v-1+2*(x.mask+1), block)))
					break
				}
			}
		}
		pass()
	},
}

// exchange is the worker's side of the exchange that passes a point.
func (w *worker) exchange(p failpoint.Point) *exchange {
	sends := p < failpoint.TakeHeader
	switch e := w.ends.(type) {
	case elementEnds:
		if sends {
			return &e.p.x.exchange
		}
		return &e.c.x.exchange
	case messageEnds:
		if sends {
			return &e.p.x.exchange
		}
		return &e.c.x.exchange
	}
	panic("ends of another kind")
}

// TestFailpointMutants makes sure that the schedules find what is broken.
func TestFailpointMutants(t *testing.T) {
	needSegments(t)
	r := newRand(seed(t), 0)
	for name, mutant := range mutants {
		refused, wrong, runs := 0, 0, 300
		for range runs {
			x := newCrowd(t, r)
			d := &schedule{x: x, mutant: mutant}
			d.play(t)
			bad := false
			for _, w := range x.all {
				bad = bad || w.err != nil
			}
			switch {
			case bad: // the ring noticed itself
				wrong++
			case porcupine.CheckOperationsTimeout(boundedQueue(x.slots), x.history(), hangLimit) == porcupine.Illegal:
				refused++
			}
			x.close(t, false)
		}
		if refused < runs/10 {
			t.Errorf("%s: %d of %d histories refused, %d found out by the ring", name, refused, runs, wrong)
		}
		t.Logf("%s: %d of %d histories refused, %d found out by the ring", name, refused, runs, wrong)
	}
}
