package ring

// When to give way: two sides that follow each other slot by slot fight over the same cache
// lines, and each element costs transfers of several; some slots apart a transfer serves many
// (temporal slipping: Giacomoni et al., FastForward, 2008). So who has come up against the other
// side pauses for a moment, unless it is in a conversation, where a pause is just late.

import "ringway/internal/order"

// mostPauses bounds how long a refused call gives way: about a microsecond.
const mostPauses = 32

// giveWay pauses when a burst of single elements has come up against the other side, no longer than
// the burst took, and after a lone element, as in a conversation, not at all. Who never parks pays
// nothing either.
func (e *end) giveWay(burst uint64) {
	if e.spin.fixed < 0 {
		return
	}
	for range min(burst/2, mostPauses) {
		order.Pause()
	}
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
