package ring

// When to give way: two sides that follow each other slot by slot fight over the same cache
// lines, and each element costs transfers of several; some slots apart a transfer serves many
// (temporal slipping: Giacomoni et al., FastForward, 2008). So who has come up against the other
// side pauses for a moment, unless it is in a conversation, where a pause is just late.

import "ringway/internal/order"

// How often a refused call makes the processor pause at most; each takes some 10 to 50 ns.
const (
	shortPauses = 32
	longPauses  = 128
)

// By how much long pauses must speed a stream up to be worth their latency.
const (
	singleGain = 1.2
	batchGain  = 1.1
)

// giveWay pauses after a burst of units that has come up against the other side: usually as often as
// said. Where the processors are far apart each transfer takes hundreds of nanoseconds, and only long pauses
// bring enough units each; there it pauses for long, and reports so, if a trial shows that it pays. Who never polls
// does not pause, nor who never parks.
func (e *end) giveWay(burst, usual uint64, gain float64) (long bool) {
	if e.spin.fixed < 0 || e.spin.polls() == 0 {
		return false
	}
	n := min(usual, shortPauses)
	switch {
	case !e.reach.far:
		e.long = trial{}
	case burst < 2:
		e.long.units += burst
	case e.long.next(burst, gain):
		long, n = true, min(2*burst, longPauses)
	}
	for range n {
		order.Pause()
	}
	if burst > 1 {
		e.reach.wait(e.ready)
	}
	return long
}

// giveWayAfter is giveWay after a burst of single units: not after a lone one, as in a conversation.
func (e *end) giveWayAfter(burst uint64) { e.giveWay(burst, burst/2, singleGain) }

// giveWay is end.giveWay for a consumer of batches, which usually pauses if slip says so.
func (c *spscConsumer) giveWay() {
	if c.batched == 0 {
		return // the same wait
	}
	usual := uint64(0)
	if c.slip.refused() {
		usual = shortPauses
	}
	if c.end.giveWay(c.batched, usual, batchGain) {
		c.slip.forget()
	}
	c.batched = 0
}

// How often a batch consumer tries whether a pause pays, and whether it still does.
const (
	tryEvery   = 256 // refusals: a conversation that suffers from it does so rarely
	checkEvery = 64
)

// slip decides when a consumer of batches gives way. One batch looks the same in a stream and in a
// conversation, but a pause tells them apart: a stream has gone on meanwhile, so that there is more to take
// than without the pause. It tries one now and then, and goes on with them as long as they pay.
type slip struct {
	usual    uint64 // units that there were after a wait without a pause
	refusals uint32 // waits, counted
	waiting  bool   // refused since the last batch
	paused   bool   // and paused
	pays     bool   // the last pause did
}

// refused takes in a call that found nothing, and reports whether to pause now.
func (s *slip) refused() bool {
	if s.waiting {
		return false
	}
	s.waiting = true
	s.refusals++
	if s.pays {
		s.paused = s.refusals%checkEvery != 0
	} else {
		s.paused = s.refusals%tryEvery == 0
	}
	return s.paused
}

// found takes in how many units ended the wait.
func (s *slip) found(units uint64) {
	if s.paused {
		s.pays = units >= 2*s.usual
	} else {
		s.usual = units
	}
	s.waiting, s.paused = false, false
}

// forget leaves a wait out, whose pause was another.
func (s *slip) forget() { s.waiting, s.paused = false, false }
