//go:build linux

package futex

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringway/internal/order"
)

// until is the sleeper of the package comment, with no limit on the wait: a
// lost wake hangs. It dawdles, so that the other side's publication falls everywhere
// around Prepare and not only into a sleep.
func until(e *Event, barrier func() error, cond func() bool) error {
	for !cond() {
		if rand.IntN(4) != 0 {
			for range rand.IntN(3000) {
				order.Pause()
			}
		}
		token := e.Prepare()
		if err := barrier(); err != nil {
			return err
		}
		if cond() {
			return nil
		}
		if err := e.Wait(token, -1); err != nil {
			return err
		}
	}
	return nil
}

func noBarrier() error { return nil }

// pingPong is two sides that take turns; each line is written by one of them.
type pingPong struct {
	turn [2]struct {
		n     uint64
		event Event
		_     [112]byte
	}
}

// play makes a side publish 1 to rounds: side 1 each number after side 0 has
// published it, side 0 each one after side 1 has published the one before.
func (p *pingPong) play(side int, rounds uint64, publish func(*uint64, uint64), barrier func() error) error {
	mine, theirs := &p.turn[side], &p.turn[1-side]
	for r := uint64(1); r <= rounds; r++ {
		want := r - 1 + uint64(side)
		// mine.event is where I sleep, so it is what the other side notifies.
		if err := until(&mine.event, barrier, func() bool { return atomic.LoadUint64(&theirs.n) >= want }); err != nil {
			return err
		}
		publish(&mine.n, r)
		theirs.event.Notify()
	}
	return nil
}

func (p *pingPong) startAt(epoch uint32) {
	for i := range p.turn {
		p.turn[i].event.word.Store(epoch)
	}
}

func fullFence(p *uint64, v uint64) { atomic.SwapUint64(p, v) }

// fences are the two ways to keep sleepers and wakers from missing each other.
func fences(t *testing.T) map[string]fence {
	all := map[string]fence{"full": {fullFence, noBarrier}}
	if order.Supported() {
		if err := order.Register(); err != nil {
			t.Fatal("Register:", err)
		}
		all["asymmetric"] = fence{order.StoreRelease, order.Barrier}
	} else {
		t.Log("no expedited global membarrier here: asymmetric fence not tested")
	}
	return all
}

type fence struct {
	publish func(*uint64, uint64)
	barrier func() error
}

// rounds is fewer on one P: there it is given away only when the runtime's
// monitor notices the system call, which takes up to 10 ms a round.
func rounds(procs int) uint64 {
	n := uint64(4000)
	if testing.Short() {
		n = 500
	}
	if procs == 1 {
		n /= 20
	}
	return n
}

func TestNoLostWake(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, f := range fences(t) {
		for _, procs := range []int{1, 2} {
			runtime.GOMAXPROCS(procs)
			for _, epoch := range epochs {
				p := new(pingPong)
				p.startAt(epoch)
				finishes(t, name, func() {
					var wg sync.WaitGroup
					for side := range 2 {
						wg.Go(func() {
							if err := p.play(side, rounds(procs), f.publish, f.barrier); err != nil {
								t.Errorf("%s, side %d: %v", name, side, err)
							}
						})
					}
					wg.Wait()
				})
			}
		}
	}
}

// Many sleepers and wakers on one event; every token is taken exactly once.
func TestNoLostWakeMany(t *testing.T) {
	const sleepers, wakers = 3, 2
	each := rounds(2) / wakers * wakers
	for _, epoch := range epochs {
		var e Event
		var tokens atomic.Int64
		var taken atomic.Uint64
		e.word.Store(epoch)
		take := func() bool {
			for {
				n := tokens.Load()
				if n <= 0 {
					return false
				}
				if tokens.CompareAndSwap(n, n-1) {
					return true
				}
			}
		}
		finishes(t, "many sleepers and wakers", func() {
			var wg sync.WaitGroup
			for range sleepers {
				wg.Go(func() {
					for range each {
						if err := until(&e, noBarrier, take); err != nil {
							t.Error(err)
							return
						}
						taken.Add(1)
					}
				})
			}
			for range wakers {
				wg.Go(func() {
					for range each / wakers * sleepers {
						for range rand.IntN(2000) { // so that the sleepers run dry
							order.Pause()
						}
						tokens.Add(1)
						e.Notify()
					}
				})
			}
			wg.Wait()
		})
		if taken.Load() != each*sleepers || tokens.Load() != 0 {
			t.Errorf("taken %d of %d, left %d", taken.Load(), each*sleepers, tokens.Load())
		}
	}
}

// A cancel that falls anywhere around Prepare and Wait must end the wait.
func TestInterruptIsNeverLost(t *testing.T) {
	for _, procs := range []int{1, 2} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for _, epoch := range epochs {
			var e Event
			e.word.Store(epoch)
			var cancelled, seen atomic.Uint64
			finishes(t, "a cancelled wait", func() {
				var wg sync.WaitGroup
				wg.Go(func() {
					for r := uint64(1); r <= rounds(procs); r++ {
						if err := until(&e, noBarrier, func() bool { return cancelled.Load() >= r }); err != nil {
							t.Error(err)
						}
						seen.Store(r)
					}
				})
				for r := uint64(1); r <= rounds(procs); r++ {
					for i := uint64(0); i < r*7%300; i++ {
						order.Pause()
					}
					cancelled.Add(1)
					e.Interrupt()
					for seen.Load() < r {
						runtime.Gosched()
					}
				}
				wg.Wait()
			})
		}
	}
}
