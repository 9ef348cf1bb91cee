package ring

import "testing"

const testGain = 1.2

// play plays rounds, where usual and with say how fast units pass in one of either kind, and returns
// how many went with it.
func (tr *trial) play(rounds int, usual, with float64) (tried int) {
	for range rounds {
		if tr.on {
			tried++
			tr.decide(with, testGain)
		} else {
			tr.decide(usual, testGain)
		}
	}
	return tried
}

func TestTrial(t *testing.T) {
	const rounds = 10 * mostRest
	var tr trial
	for _, c := range []struct {
		what        string
		usual, with float64
		rounds      int
		least, most int
	}{
		{"a conversation that it slows down", 0.01, 0.005, rounds, 5, 20},
		{"a stream that gains too little", 0.01, 0.0119, rounds, 5, 20},
		{"a stream that gains", 0.01, 0.04, rounds, rounds * 8 / 10, rounds * 99 / 100},
		{"one that gains no more", 0.01, 0.01, 2 * paidRounds, 1, 6},
		{"slow traffic", leastPace / 4, leastPace / 2, rounds, 5, 20},
	} {
		if tried := tr.play(c.rounds, c.usual, c.with); tried < c.least || tried > c.most {
			t.Errorf("%s has it in %d rounds of %d, want %d to %d", c.what, tried, c.rounds, c.least, c.most)
		}
	}
}

// A round in which nothing was done for a while changes nothing.
func TestTrialMishap(t *testing.T) {
	var tr trial
	tr.play(1000, 0.01, 0.04)
	with, without := tr, tr
	for tr.on {
		tr.play(1, 0.01, 0.04)
		without = tr
	}
	for _, was := range []trial{with, without} {
		tr := was
		tr.decide(1e-6, testGain)
		if was.odd++; tr != was {
			t.Errorf("%+v became %+v", was, tr)
		}
		for range mostOdd {
			tr.decide(1e-6, testGain)
		}
		if was.on && tr.on {
			t.Errorf("still on after %d rounds that were slow: %+v", mostOdd+1, tr)
		}
	}
}

// A round has as many steps as it should, and counts what passes in them.
func TestTrialRounds(t *testing.T) {
	var tr trial
	rounds := 0
	for range 10 * roundSteps {
		if tr.next(1000, testGain); tr.units == 0 {
			rounds++
		}
	}
	if rounds != 10 || tr.units != (roundSteps-1)*1000 {
		t.Errorf("%d rounds with %d units in the last, want 10 and %d", rounds, tr.units, (roundSteps-1)*1000)
	}
}
