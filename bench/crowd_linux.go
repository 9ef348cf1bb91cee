package bench

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// The scenarios of several producers and consumers on one ring. Where sides share a CPU, whoever cannot go on yields it
// (sched_yield) after some tries; without that each would spin away the time slice of the one it waits for.
//
//	mpmc many SIZE SLOTS        TryPush and TryPop
//	mpmc many-pack SIZE SLOTS   32 elements a block
//	mpmc many-wait SIZE SLOTS   Push and Pop, which wait as by default
//	vyukov many SIZE SLOTS      TryPush and TryPop on Vyukov's queue
func init() {
	for _, slots := range []int{1024, 65536} {
		registerMany[elem8](slots)
		registerMany[elem64](slots)
		registerMany[elem256](slots)
	}
}

func registerMany[T element](slots int) {
	spec := specOf[T](layout.MPMC, slots)
	packed := spec
	packed.Pack, packed.Cap = 32, slots/32
	size := spec.Elem.Size
	addRings(fmt.Sprintf("mpmc many %d %d", size, slots), spec, 1, many[T](1))
	addRings(fmt.Sprintf("mpmc many-pack %d %d", size, slots), packed, 1, many[T](32))
	addRings(fmt.Sprintf("mpmc many-wait %d %d", size, slots), spec, 1, many[T](0))
	RegisterScenario(Scenario{Name: fmt.Sprintf("vyukov many %d %d", size, slots),
		Attach: func(side Side, dir string, _ []byte) (func(int), error) {
			q, err := openVyukov[T](side, filepath.Join(dir, fmt.Sprintf("vyukov-many-%d-%d", size, slots)), slots)
			if side.Role() == ProducerSide {
				return func(n int) { pushManyVyukov(q, side, n) }, err
			}
			return func(n int) { popManyVyukov(q, n) }, err
		}})
}

func yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// many is n elements from each producer, and n to each consumer, of whom there are as many. batch 0 means blocking calls.
// n must be a multiple of the batch: who takes part of a block keeps the rest for later.
func many[T element](batch int) work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		if side.Role() == ProducerSide {
			p, err := ring.NewProducer[T](seg[0], nil)
			return untimed(map[int]func(int){
				0:  func(n int) { pushManyWaiting(p, side, n) },
				1:  func(n int) { pushMany(p, side, n) },
				32: func(n int) { pushManyBatches(p, side, n, batch) },
			}[batch], err)
		}
		c, err := ring.NewConsumer[T](seg[0], nil)
		return untimed(map[int]func(int){
			0:  func(n int) { popManyWaiting(c, n) },
			1:  func(n int) { popMany(c, n) },
			32: func(n int) { popManyBatches(c, n, batch) },
		}[batch], err)
	}
}
