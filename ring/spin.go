package ring

import (
	"runtime"
	"time"

	"ringway/internal/order"
)

const (
	// maxSpin is the longest adaptive spin. It exceeds what it costs to wake a
	// sleeper (some 50 µs on a virtual machine): a shorter one is bistable, because
	// one park makes the peer's spin run out too.
	maxSpin = 100 * time.Microsecond

	firstPolls = 64 // before the clock is looked at for the first time
	polls      = 32 // between two looks at the clock
	yieldEvery = 8  // looks at the clock between two runtime.Gosched
)

// spin decides how long a blocked call polls before it parks.
type spin struct {
	fixed time.Duration // as Options.Spin
	gap   time.Duration // what recent waits took, a decaying mean
	cpus  int           // that may run us
}

func newSpin(fixed time.Duration) spin {
	return spin{fixed: fixed, cpus: usableCPUs()}
}

func usableCPUs() int { return min(runtime.GOMAXPROCS(0), order.CPUs()) }

// budget is how long to poll now; negative means until it pays.
func (s *spin) budget() time.Duration {
	switch {
	case s.cpus < 2:
		return 0
	case s.fixed != 0:
		return s.fixed
	case s.gap > maxSpin:
		return 0
	}
	return maxSpin
}

// learn takes in what a wait took. A long one counts as just long enough to stop
// spinning, so that a handful of short ones after an idle hour start it again.
func (s *spin) learn(took time.Duration) {
	s.gap = (s.gap + min(took, 4*maxSpin)) / 2
}

var epoch = time.Now()

// monotonic reads the clock in the cheapest way Go has.
func monotonic() time.Duration { return time.Since(epoch) }
