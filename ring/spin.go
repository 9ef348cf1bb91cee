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

	firstPolls = 64   // before the clock is looked at for the first time
	polls      = 32   // between two looks at the clock
	yieldEvery = 8    // looks at the clock between two runtime.Gosched
	dryTries   = 32   // waits for which one spin is risked although recent ones were long
	maxPenalty = 1024 // waits without a spin after spins that failed again and again

	// Below this a fixed spin is not worth a poll: park at once.
	leastSpin = 2 * time.Microsecond
)

// spin decides how long a blocked call polls before it parks. Adaptive, it asks two
// things of the past: were recent waits short, and did spinning end them? The second
// matters where the other side cannot run while we spin, because it is pinned to the same
// processor or the machine is overcommitted: waits are short and spins still fail.
type spin struct {
	fixed   time.Duration // as Options.Spin
	gap     time.Duration // what recent waits took, a decaying mean
	penalty int           // doubles with each spin that failed
	skip    int           // waits that are left to go without a spin
	dry     int           // waits that recent gaps sent to park at once
	alone   bool          // nobody can run while we spin
	single  bool          // nobody else in this process can
}

func newSpin(fixed time.Duration) spin {
	return spin{fixed: fixed, alone: order.CPUs() < 2, single: runtime.GOMAXPROCS(0) < 2}
}

// polls is how often to look before the clock is asked.
func (s *spin) polls() int {
	if s.alone || s.fixed > 0 && s.fixed < leastSpin {
		return 0
	}
	return firstPolls
}

// budget is how long to poll now; negative means until it pays.
func (s *spin) budget() time.Duration {
	switch {
	case s.alone:
		return 0
	case s.fixed != 0:
		return s.fixed
	case s.skip > 0:
		s.skip--
		return 0
	case s.gap > maxSpin:
		// What a park takes includes the wake-up. Where that alone exceeds maxSpin the gap
		// would never shrink again, so try now and then.
		if s.dry++; s.dry%dryTries != 0 {
			return 0
		}
	}
	return maxSpin
}

// hit takes in a spin that ended a wait, at once if took is 0. That says
// nothing about spinning: the other side may have run before we began.
func (s *spin) hit(took time.Duration) {
	if took > 0 {
		s.penalty = 0
	}
	s.skip = max(s.skip-1, 0)
	s.gap = (s.gap + took) / 2
}

// miss takes in a wait that ended in a park, after a spin or without one. A long
// one counts as just long enough to stop spinning, so that a handful of short ones
// after an idle hour start it again.
func (s *spin) miss(took time.Duration, spun bool) {
	if spun {
		s.penalty = min(2*s.penalty+1, maxPenalty)
		s.skip = s.penalty
	}
	s.gap = (s.gap + min(took, 4*maxSpin)) / 2
}

var epoch = time.Now()

// monotonic reads the clock in the cheapest way Go has.
func monotonic() time.Duration { return time.Since(epoch) }
