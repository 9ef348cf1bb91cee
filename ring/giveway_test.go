package ring

import "testing"

// wait is one wait of a batch consumer: refused some times, then there is what came meanwhile.
func (s *slip) wait(without, with uint64) (paused bool) {
	paused = s.refused()
	for range 3 {
		if s.refused() {
			panic("a second pause in one wait")
		}
	}
	if paused {
		s.found(with)
	} else {
		s.found(without)
	}
	return paused
}

func TestSlip(t *testing.T) {
	pauses := func(s *slip, waits int, without, with uint64) (n int) {
		for range waits {
			if s.wait(without, with) {
				n++
			}
		}
		return n
	}
	var s slip
	if n := pauses(&s, 10*tryEvery, 32, 32); n != 10 {
		t.Errorf("a conversation pauses %d times in %d waits, want 10", n, 10*tryEvery)
	}
	if n := pauses(&s, tryEvery, 32, 400); n != 1 || !s.pays {
		t.Errorf("a stream begins with %d pauses in %d waits (pays: %v), want 1", n, tryEvery, s.pays)
	}
	if n := pauses(&s, 10*checkEvery, 32, 400); n != 10*(checkEvery-1) {
		t.Errorf("a stream pauses %d times in %d waits, want all but every %dth", n, 10*checkEvery, checkEvery)
	}
	if n := pauses(&s, tryEvery-1, 32, 32); n != 2 {
		t.Errorf("a stream that became a conversation pauses %d more times, want 2: the one that shows it, and a trial", n)
	}
}

// Who talks in lone elements, or never parks, pauses not at all.
func TestGiveWayToNobody(t *testing.T) {
	var e end
	for range 3 * roundSteps {
		e.giveWayAfter(1)
	}
	e.spin.fixed = -1
	for range 3 * roundSteps {
		e.giveWayAfter(100)
	}
	if e.long != (trial{}) {
		t.Errorf("rounds were counted: %+v", e.long)
	}
}
