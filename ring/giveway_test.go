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

// Long pauses are tried where processors are far apart, after bursts, and by those who may poll.
func TestGiveWay(t *testing.T) {
	n := &news{bring: true}
	waits := func(e *end, burst uint64) {
		e.ready = n
		for range 3 * roundUnits / 16 {
			e.giveWayAfter(burst)
		}
	}
	for what, e := range map[string]*end{
		"near":                   {},
		"far, but never parks":   {reach: reach{far: true}, spin: spin{fixed: -1}},
		"far, but on one CPU":    {reach: reach{far: true}, spin: spin{alone: true}},
		"far, but parks at once": {reach: reach{far: true}, spin: spin{fixed: 1}},
	} {
		if waits(e, 16); e.long != (trial{}) {
			t.Errorf("%s: a trial was begun: %+v", what, e.long)
		}
	}
	e := &end{reach: reach{far: true, waits: 255}}
	if waits(e, 1); e.long.began != 0 || e.long.units == 0 {
		t.Errorf("lone elements: %+v, want no rounds, but what passed counted", e.long)
	}
	e.reach = reach{far: true, looks: 200} // no verdict for now
	if waits(e, 16); e.long.usual == 0 {
		t.Errorf("bursts: no round was played: %+v", e.long)
	}
}

// A wait is one wait however often it is refused, and one with a long pause says nothing to slip.
func TestGiveWayOfBatches(t *testing.T) {
	c := &spscConsumer{}
	c.ready = &news{}
	for range 10 {
		c.giveWay()
	}
	if c.slip != (slip{}) {
		t.Errorf("refusals before any batch counted as waits: %+v", c.slip)
	}
	c.reach.far, c.long = true, trial{on: true, began: monotonic(), rounds: 16, usual: 1e-9}
	c.slip = slip{usual: 32, pays: true}
	for range 5 {
		c.batched = 32
		for range 3 {
			c.giveWay()
		}
	}
	if c.slip.waiting || !c.slip.pays || c.slip.usual != 32 || c.batched != 0 {
		t.Errorf("after long pauses: %+v, %d batched", c.slip, c.batched)
	}
}
