package lab

import (
	"sync"
	"time"

	"ringway/internal/order"
	"ringway/internal/telemetry"
)

// now is in nanoseconds, the same clock in every process.
func now() uint64 { return telemetry.Now() }

// pausesPerMicrosecond is how many PAUSE instructions take that long here.
var pausesPerMicrosecond = sync.OnceValue(func() float64 {
	const n = 1 << 14
	best := uint64(1 << 62)
	for range 3 { // the best of some: the processor may have been taken away meanwhile
		start := now()
		stall(n)
		best = min(best, now()-start)
	}
	return n * 1e3 / float64(max(best, 1))
})

// pausesIn returns how many PAUSE instructions fill d.
func pausesIn(d time.Duration) uint64 {
	return uint64(float64(d) / 1e3 * pausesPerMicrosecond())
}

// stall lets n PAUSE instructions go by.
func stall(n uint64) {
	for ; n > 0; n-- {
		order.Pause()
	}
}

const (
	patience = 50 * time.Microsecond // how long await polls before it begins to sleep
	nap      = 50 * time.Microsecond
)

// await returns when done does. It polls, and after a while sleeps between looks: the
// other side may need the processor.
func await(done func() bool) {
	if order.CPUs() > 1 {
		for until := now() + uint64(patience); ; {
			for range 64 {
				if done() {
					return
				}
				order.Pause()
			}
			if now() > until {
				break
			}
		}
	}
	for !done() {
		time.Sleep(nap)
	}
}

// meet is the start barrier: it returns once all n workers have come to it.
func meet(gate *word, n int) {
	gate.Add(1) // publishes that we are here; pairs with the load of the others
	await(func() bool { return gate.Load() >= uint64(n) })
}

// dice is xorshift64, small enough to disturb nothing.
type dice uint64

func (d *dice) below(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	x := *d
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*d = x
	return uint64(x) % n
}
