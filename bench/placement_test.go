package bench

import "testing"

func TestClassOf(t *testing.T) {
	for probe, want := range map[float64]Class{31: Siblings, 104.9: Siblings, 105: Near, 249: Near, 250: Far, 600: Far} {
		if c := ClassOf(probe); c != want {
			t.Errorf("ClassOf(%g) = %s, want %s", probe, c, want)
		}
	}
}

func TestDiscard(t *testing.T) {
	for _, c := range []struct {
		s    Sample
		want string
	}{
		{Sample{Before: 130, After: 140}, ""},
		{Sample{Before: 100, After: 110}, "placement changed"},
		{Sample{Before: 130, After: 560}, "placement changed"},
		{Sample{Before: 400, After: 600}, "placement changed"},
		{Sample{Before: 600, After: 400}, "placement changed"},
		{Sample{Before: 130, After: 130, Stolen: 1}, "host stole time"},
		{Sample{Before: 130, After: 130, Switches: 1}, "preempted"},
	} {
		if why := c.s.Discard(); why != c.want {
			t.Errorf("%+v: discarded for %q, want %q", c.s, why, c.want)
		}
	}
}

func TestTally(t *testing.T) {
	var y Tally
	for i, ns := range []float64{5, 1, 3, 100} {
		y.Add("a", Sample{Ns: ns, Before: 130, After: 130, Switches: i / 3})
	}
	y.Add("a", Sample{Ns: 7, Before: 60, After: 60})
	if s := SpreadOf(y.Values[Near]["a"]); s != (Spread{3, 1, 3, 5}) {
		t.Errorf("near: %+v", s)
	}
	if s := SpreadOf(y.Values[Siblings]["a"]); s != (Spread{1, 7, 7, 7}) {
		t.Errorf("siblings: %+v", s)
	}
	if y.Accepted != 4 || y.Discarded["preempted"] != 1 {
		t.Errorf("accepted %d, discarded %v", y.Accepted, y.Discarded)
	}
	if s := SpreadOf([]float64{4, 1, 2, 3}); s.Median != 2.5 {
		t.Errorf("median of four values: %g", s.Median)
	}
	if s := SpreadOf(nil); s != (Spread{}) {
		t.Errorf("spread of nothing: %+v", s)
	}
}
