package ring

import (
	"testing"
	"time"
)

func TestReach(t *testing.T) {
	var r reach
	for _, c := range []struct {
		least, most time.Duration
		far         bool
	}{{40, 60, false}, {150, 500, true}, {60, 5000, false}, {farLook, farLook, true}, {farLook - 1, 1e6, false}} {
		for i := range 2 * verdict {
			d := c.most
			if i%verdict == verdict-1 {
				d = c.least
			}
			if r.took(d); i%verdict == verdict-1 && r.far != c.far {
				t.Errorf("looks of %v to %v: far %v, want %v", c.least, c.most, r.far, c.far)
			}
		}
	}
}

// news is a side of which every look, or none, brings news.
type news struct {
	bring bool
	looks int
}

func (n *news) look() bool   { n.looks++; return n.bring }
func (n *news) sound() error { return nil }

// Only looks that bring news are timed: others find the line where it was.
func TestReachWaits(t *testing.T) {
	var r reach
	n := &news{}
	for range 100 * timeEvery {
		r.wait(n)
	}
	if n.looks != 100 || r.looks != 0 {
		t.Errorf("%d looks in %d waits, %d of them timed, want 100 and none", n.looks, 100*timeEvery, r.looks)
	}
	n.bring = true
	r.wait(n)
	if r.looks != 1 {
		t.Errorf("%d looks timed, want 1", r.looks)
	}
	for _, far := range []bool{false, true} {
		r, n.looks = reach{known: true, far: far}, 0
		for range 2 * timeNear {
			r.wait(n)
			r.looks = 0 // no verdict for now
		}
		want := 2
		if far {
			want = 2 * timeNear / timeEvery
		}
		if n.looks != want {
			t.Errorf("far %v: %d looks in %d waits, want %d", far, n.looks, 2*timeNear, want)
		}
	}
}
