package bench

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The scenarios of Vyukov's queue, the peer of the exchange ring, with nothing around it:
//
//	vyukov tp SIZE SLOTS    one producer, one consumer, polling when refused
func init() {
	for _, slots := range []int{1024, 65536} {
		registerVyukov[elem8](8, slots)
		registerVyukov[elem64](64, slots)
		registerVyukov[elem256](256, slots)
	}
}

func registerVyukov[T element](size, slots int) {
	RegisterScenario(Scenario{Name: fmt.Sprintf("vyukov tp %d %d", size, slots),
		Attach: func(side Side, dir string, _ []byte) (func(int), error) {
			q, err := openVyukov[T](side, filepath.Join(dir, fmt.Sprintf("vyukov-%d-%d", size, slots)), slots)
			if side == ConsumerSide {
				return func(n int) { popVyukov(q, n) }, err
			}
			return func(n int) { pushVyukov(q, n) }, err
		}})
}

// openVyukov maps a queue in a file of its own; the first producer, who attaches first, makes it.
func openVyukov[T any](side Side, path string, slots int) (*vyukov[T], error) {
	mem, err := mapFile(path, vyukovBytes[T](slots))
	if err != nil {
		return nil, err
	}
	q := vyukovIn[T](mem, slots)
	if side == ProducerSide {
		q.init()
	}
	return q, nil
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

func pushVyukov[T element](q *vyukov[T], n int) {
	var v T
	for i := range n {
		v[0] = uint64(i)
		for !q.push(&v) {
		}
	}
}

func popVyukov[T element](q *vyukov[T], n int) {
	var v T
	for i := range n {
		for !q.pop(&v) {
		}
		if v[0] != uint64(i) {
			panic(fmt.Sprintf("element %d carries %d", i, v[0]))
		}
	}
}
