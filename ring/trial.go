package ring

import "time"

// trial decides whether something pays that some streams gain by, and others and conversations lose by, such as
// long pauses: where the two sides hold each other up, more units pass in a given time with it; in a conversation
// fewer; and where one side has nothing faster to give, as many. So it tries that for a round now and then.
type trial struct {
	on     bool   // this round is one with it
	odd    uint8  // rounds in a row of which nothing can be said
	steps  uint32 // left of this round
	rounds uint32 // left until the other kind has its turn
	rest   uint32 // rounds since it last failed, when it is tried again
	units  uint64 // of this round
	began  time.Duration
	usual  float64 // units a nanosecond without: in the better of the last two rounds
	last   float64 // in the last of them
}

const (
	roundSteps = 64  // steps of a round: it takes microseconds, and the clock is read once
	paidRounds = 16  // rounds with what pays until one without shows again what it brings
	mostRest   = 256 // most rounds without what does not pay until it is tried again
	mostOdd    = 3   // most rounds in a row that are taken for mishaps

	// leastPace, in units a nanosecond, is that of a stream; in slower traffic the pace of a round says how long
	// nothing came.
	leastPace = 1.0 / 250
)

// next takes in a step in which so many units passed, and reports whether the next one goes with it. It pays
// if it speeds things up by gain: less is noise, or not worth its price.
func (t *trial) next(units uint64, gain float64) bool {
	t.units += units
	if t.steps > 0 {
		t.steps--
		return t.on
	}
	now := monotonic()
	if t.began > 0 {
		t.decide(float64(t.units)/float64(max(now-t.began, 1)), gain)
	}
	t.steps, t.units, t.began = roundSteps-1, 0, now
	return t.on
}

// decide takes in how fast units passed in a round, and says what the next one is.
func (t *trial) decide(pace, gain float64) {
	if pace < t.usual/4 && t.odd < mostOdd {
		t.odd++ // somebody was off the processor, or did something else
		return
	}
	t.odd = 0
	switch {
	case !t.on:
		t.usual, t.last = max(pace, t.last), pace
	case pace < max(gain*t.usual, leastPace):
		t.rest = min(2*t.rest+1, mostRest)
		t.on, t.rounds = false, t.rest
		return
	default:
		t.rest = 0
	}
	if t.rounds > 0 {
		t.rounds--
		return
	}
	if t.on = !t.on; t.on {
		t.rounds = paidRounds
	}
}
