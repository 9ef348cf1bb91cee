package ring

import "time"

// trial decides whether something pays that some streams gain by, and others and conversations lose by, such as
// long pauses: where the two sides hold each other up, more units pass in a given time with it; in a conversation
// fewer; and where one side has nothing faster to give, as many. So it tries that for a round now and then.
type trial struct {
	on     bool   // this round is one with it
	rounds uint32 // that follow before the other kind has its turn
	rest   uint32 // rounds without it that followed its last failure
	units  uint64 // of this round
	began  time.Duration
	usual  float64 // units a nanosecond without: in the better of the last two rounds
	last   float64 // in the last of them
}

const (
	// roundUnits is what a round lasts. Rounds of either kind pass as many units, so that of what a
	// stream passes only so much is ever tried in vain, however long it takes.
	roundUnits = 4096

	// trialSlack is by how many units a round with it may be behind before it ends early.
	trialSlack = roundUnits / 16

	paidRounds = 16  // rounds with what pays until one without shows again what it brings
	mostRest   = 256 // most rounds without what does not pay until it is tried again

	// leastPace, in units a nanosecond, is that of a stream; in slower traffic the pace of a round says how long
	// nothing came.
	leastPace = 1.0 / 250
)

// next takes in a step in which so many units passed, and reports whether the next one goes with it. It pays
// if it speeds things up by gain: less is noise, or not worth its price.
func (t *trial) next(units uint64, gain float64) bool {
	t.units += units
	if t.on || t.units >= roundUnits || t.began == 0 {
		t.at(monotonic(), gain)
	}
	return t.on
}

// at is next at a time. A round with it ends as soon as it is clearly behind.
func (t *trial) at(now time.Duration, gain float64) {
	if t.began > 0 {
		took := float64(max(now-t.began, 1))
		behind := t.on && float64(t.units+trialSlack)/took < max(t.usual/2, leastPace)
		if !behind && t.units < roundUnits {
			return
		}
		t.decide(float64(t.units)/took, gain)
	}
	t.units, t.began = 0, now
}

// decide takes in how fast units passed in a round, and says what the next one is.
func (t *trial) decide(pace, gain float64) {
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
		t.rounds = paidRounds - 1
	}
}
