package bench

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// The scenarios of MPMC rings, one producer and one consumer process, polling:
//
//	mpmc tp SIZE SLOTS      TryPush and TryPop
//	mpmc pack SIZE SLOTS    TryPushN and TryPopN of 32, 32 elements a block
//	vyukov tp SIZE SLOTS    the same as tp over Vyukov's queue
func init() {
	registerBlocks[elem8](1024)
	registerBlocks[elem64](1024)
}

func registerBlocks[T elem8 | elem64](slots int) {
	spec, err := ring.Spec[T](layout.MPMC, slots)
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	add := func(what string, batch int) {
		spec := spec
		spec.Pack = batch
		name := fmt.Sprintf("mpmc %s %d %d", what, spec.Elem.Size, slots)
		RegisterScenario(Scenario{Name: name, Attach: func(side Side, dir string, _ []byte) (func(int), error) {
			seg, err := shm.OpenOrCreate(filepath.Join(dir, fmt.Sprintf("mpmc-%s-%d.ring", what, spec.Elem.Size)), spec, 0o600)
			if err != nil {
				return nil, err
			}
			return blocksWay[T](side, seg, batch)
		}})
	}
	add("tp", 1)
	add("pack", 32)
	RegisterScenario(Scenario{Name: fmt.Sprintf("vyukov tp %d %d", spec.Elem.Size, slots),
		Attach: func(side Side, dir string, _ []byte) (func(int), error) {
			// A file of its own: the pair's memory is for scenarios that begin anew each time.
			mem, err := mapFile(filepath.Join(dir, fmt.Sprintf("vyukov-%d", spec.Elem.Size)), vyukovBytes[T](slots))
			if err != nil {
				return nil, err
			}
			q := vyukovIn[T](mem, slots)
			if side == ProducerSide {
				q.init() // attaches first
			}
			if side == ConsumerSide {
				return func(n int) { popVyukov(q, n) }, nil
			}
			return func(n int) { pushVyukov(q, n) }, nil
		}})
}

// mapFile maps a file of n bytes, which it makes if there is none.
func mapFile(path string, n int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(n)); err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
}

func blocksWay[T elem8 | elem64](side Side, seg *shm.Segment, batch int) (func(int), error) {
	if side == ProducerSide {
		p, err := ring.NewProducer[T](seg, nil)
		if batch > 1 {
			return func(n int) { pushBatches(p, n, batch) }, err
		}
		return func(n int) { pushEach(p, n) }, err
	}
	c, err := ring.NewConsumer[T](seg, nil)
	if batch > 1 {
		return func(n int) { popBatches(c, n, batch) }, err
	}
	return func(n int) { popEach(c, n) }, err
}

func pushVyukov[T elem8 | elem64](q *vyukov[T], n int) {
	var v T
	for i := range n {
		v[0] = uint64(i)
		for !q.push(&v) {
		}
	}
}

func popVyukov[T elem8 | elem64](q *vyukov[T], n int) {
	var v T
	for i := range n {
		for !q.pop(&v) {
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("element %d carries %d", i, v[0]))
		}
	}
}
