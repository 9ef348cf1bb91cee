package ring

import (
	"math/rand/v2"
	"testing"
	"time"
)

const testGain = 1.2

// play plays rounds, where usual and with say how fast units pass in one of either kind, and returns
// which part of the units passed in rounds with it.
func (tr *trial) play(rounds int, usual, with float64) float64 {
	var units, tried float64
	now := tr.began + 1
	for range rounds {
		for began := true; began || tr.units > 0; began = false {
			pace := usual
			if tr.on {
				pace = with
				tried += 64
			}
			units += 64
			now += time.Duration(64 / pace)
			tr.units += 64
			tr.at(now, testGain)
		}
	}
	return tried / units
}

func TestTrial(t *testing.T) {
	const rounds = 10 * mostRest
	var tr trial
	for _, c := range []struct {
		what        string
		usual, with float64
		rounds      int
		least, most float64
	}{
		{"a conversation that it slows down", 0.01, 0.006, rounds, 0.001, 0.01},
		{"one that it slows down a lot", 0.05, 0.005, rounds, 1e-5, 0.001},
		{"a stream that gains too little", 0.01, 0.0119, rounds, 0.001, 0.01},
		{"a stream that gains", 0.01, 0.04, rounds, 0.8, 0.99},
		{"one that gains no more", 0.01, 0.01, 2 * paidRounds, 0.01, 0.2},
		{"a stream that gains again", 0.01, 0.04, rounds, 0.7, 0.99},
		{"slow traffic", leastPace / 4, leastPace / 2, rounds, 1e-5, 0.001},
	} {
		if tried := tr.play(c.rounds, c.usual, c.with); tried < c.least || tried > c.most {
			t.Errorf("%s has it for %.5f of what passes, want %.5f to %.5f", c.what, tried, c.least, c.most)
		}
	}
}

// paced plays arrivals a mean gap apart that a consumer polls for, in virtual time: it takes what has come, and pauses by
// the rule. It returns the part of the elements that came in rounds with long pauses.
func paced(seed uint64, elements int, mean float64, poisson bool) float64 {
	const pause, look = 26.6, 250.0 // of a machine whose processors are far apart
	random := rand.New(rand.NewPCG(seed, 1))
	var tr trial
	var now, arrival, tried float64
	burst := 0
	for i := 0; i < elements; i++ {
		gap := mean * (0.8 + 0.4*random.Float64())
		if poisson {
			gap = mean * random.ExpFloat64()
		}
		if arrival += gap; arrival <= now {
			burst++
			if tr.on {
				tried++
			}
			continue
		}
		// Refused: what came since the last wait was the burst.
		pauses := min(float64(burst/2), shortPauses)
		if tr.units += uint64(burst); burst > 1 && (tr.on || tr.units >= roundUnits || tr.began == 0) {
			tr.at(time.Duration(now)+1, testGain)
		}
		if tr.on && burst > 1 {
			pauses = min(2*float64(burst), longPauses)
		}
		now = max(now+pauses*pause, arrival) + look
		burst = 1
	}
	return tried / float64(elements)
}

// Where the sender sets the pace, long pauses gain nothing, and next to nothing passes with them.
func TestTrialOfPacedTraffic(t *testing.T) {
	for _, mean := range []float64{30, 40, 50, 60, 120, 200, 1000} {
		for _, poisson := range []bool{false, true} {
			if tried := paced(uint64(mean), 6_000_000, mean, poisson); tried > 0.02 {
				t.Errorf("a gap of %v ns, Poisson %v: %.4f of the elements pass with long pauses, want 0.02 at most", mean, poisson, tried)
			}
		}
	}
}

// A pause of the other side, or of us, costs a stream that gains at most some rounds.
func TestTrialMishap(t *testing.T) {
	var tr trial
	tr.play(1000, 0.01, 0.04)
	for range 100 {
		tr.at(tr.began+time.Second, testGain)
		if with := tr.play(100, 0.01, 0.04); with < 0.7 {
			t.Fatalf("after a second in which nothing came a stream that gains goes without in %.3f of what passes", 1-with)
		}
	}
}

// A round without ends when so many units have passed, and not before.
func TestTrialRounds(t *testing.T) {
	var tr trial
	for step := range roundUnits/64 + 1 {
		tr.next(64, testGain)
		if over, want := tr.units == 0, step%(roundUnits/64) == 0; over != want || (tr.usual > 0) != (over && step > 0) {
			t.Fatalf("step %d: %+v", step, tr)
		}
	}
}
