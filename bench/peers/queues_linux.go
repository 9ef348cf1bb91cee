package main

import (
	"fmt"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"
	"github.com/smarty/go-disruptor"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// inProcessQueues are the queues between two goroutines, by name and size, each made when first used:
//
//	ringway SIZE, ringway-batch SIZE     SPSC over memory of the heap, one by one and by 32
//	mpmc SIZE                            the exchange ring over memory of the heap
//	xsync-spsc SIZE, xsync-mpmc SIZE     puzpuzpuz/xsync
//	disruptor SIZE, disruptor-batch SIZE smarty/go-disruptor
//	channel SIZE                         a Go channel
func inProcessQueues() map[string]func() [2]func(int) {
	all := map[string]func() [2]func(int){}
	addQueues[[1]uint64](all, 8)
	addQueues[[8]uint64](all, 64)
	return all
}

const queueSlots = 1024

// queueBatch is how many go through one call where there is a call for it.
const queueBatch = 32

func addQueues[T [1]uint64 | [8]uint64](all map[string]func() [2]func(int), size int) {
	add := func(name string, make func() [2]func(int)) { all[fmt.Sprintf("%s %d", name, size)] = make }
	add("ringway", func() [2]func(int) { return heapRing[T](layout.SPSC) })
	add("mpmc", func() [2]func(int) { return heapRing[T](layout.MPMC) })
	add("ringway-batch", heapBatches[T])
	add("xsync-spsc", func() [2]func(int) {
		q := xsync.NewSPSCQueue[T](queueSlots)
		return tries(q.TryEnqueue, q.TryDequeue)
	})
	add("xsync-mpmc", func() [2]func(int) {
		q := xsync.NewMPMCQueue[T](queueSlots)
		return tries(q.TryEnqueue, q.TryDequeue)
	})
	add("channel", func() [2]func(int) {
		q := make(chan T, queueSlots)
		return [2]func(int){func(n int) {
			var v T
			for i := range n {
				v[0] = uint64(i)
				q <- v
			}
		}, func(n int) {
			for i := range n {
				verify((<-q)[0], i)
			}
		}}
	})
	add("disruptor", func() [2]func(int) { return disruptorRing[T](1) })
	add("disruptor-batch", func() [2]func(int) { return disruptorRing[T](queueBatch) })
}

func tries[T [1]uint64 | [8]uint64](push func(T) bool, pop func() (T, bool)) [2]func(int) {
	return [2]func(int){func(n int) {
		var v T
		for i := range n {
			v[0] = uint64(i)
			for !push(v) {
			}
		}
	}, func(n int) {
		for i := 0; i < n; {
			v, ok := pop()
			if !ok {
				continue
			}
			verify(v[0], i)
			i++
		}
	}}
}

func heapEnds[T [1]uint64 | [8]uint64](kind layout.Kind) (*ring.Producer[T], *ring.Consumer[T]) {
	spec, err := ring.Spec[T](kind, queueSlots)
	must(err)
	seg, err := shm.Heap(spec)
	must(err)
	p, err := ring.NewProducer[T](seg, nil)
	must(err)
	c, err := ring.NewConsumer[T](seg, nil)
	must(err)
	return p, c
}

func heapRing[T [1]uint64 | [8]uint64](kind layout.Kind) [2]func(int) {
	p, c := heapEnds[T](kind)
	return [2]func(int){func(n int) {
		var v T
		for i := range n {
			v[0] = uint64(i)
			for p.TryPush(v) != nil {
			}
		}
	}, func(n int) {
		for i := 0; i < n; {
			v, err := c.TryPop()
			if err != nil {
				continue
			}
			verify(v[0], i)
			i++
		}
	}}
}

func heapBatches[T [1]uint64 | [8]uint64]() [2]func(int) {
	p, c := heapEnds[T](layout.SPSC)
	return [2]func(int){func(n int) {
		vs := make([]T, queueBatch)
		for i := 0; i < n; {
			k := min(queueBatch, n-i)
			for j := range k {
				vs[j][0] = uint64(i + j)
			}
			for left := vs[:k]; len(left) > 0; {
				m, _ := p.TryPushN(left)
				left = left[m:]
			}
			i += k
		}
	}, func(n int) {
		vs := make([]T, queueBatch)
		for i := 0; i < n; {
			k, _ := c.TryPopN(vs)
			for j := range k {
				verify(vs[j][0], i+j)
			}
			i += k
		}
	}}
}

// disruptorRing has its consumer called back by the library, in the goroutine of the consumer's side; its run is over when the
// handler has seen n elements.
func disruptorRing[T [1]uint64 | [8]uint64](batch int) [2]func(int) {
	slots := new([queueSlots]T)
	h := &disruptorHandler[T]{slots: slots}
	var current atomic.Pointer[disruptor.Disruptor]
	return [2]func(int){func(n int) {
		for current.Load() == nil {
		}
		d := *current.Load()
		for i := 0; i < n; {
			k := min(batch, n-i)
			upper := d.Reserve(uint32(k))
			lower := upper - int64(k) + 1
			for s := lower; s <= upper; s++ {
				slots[s&(queueSlots-1)][0] = uint64(i)
				i++
			}
			d.Commit(lower, upper)
		}
		current.Store(nil)
		must(d.Close()) // Listen returns when all is handled
	}, func(n int) {
		h.next = 0
		d, err := disruptor.New(disruptor.Options.BufferCapacity(queueSlots), disruptor.Options.WaitStrategy(spinning{}),
			disruptor.Options.NewHandlerGroup(h))
		must(err)
		current.Store(&d)
		d.Listen()
		verify(h.next, n)
	}}
}

// spinning is a wait strategy that polls, as everybody else here does.
type spinning struct{}

func (spinning) Gate(int64)    {}
func (spinning) Idle(int64)    {}
func (spinning) Reserve(int64) {}

type disruptorHandler[T [1]uint64 | [8]uint64] struct {
	slots *[queueSlots]T
	copy  T
	next  uint64
}

func (h *disruptorHandler[T]) Handle(lower, upper int64) {
	for s := lower; s <= upper; s++ {
		h.copy = h.slots[s&(queueSlots-1)]
		verify(h.copy[0], int(h.next))
		h.next++
	}
}
