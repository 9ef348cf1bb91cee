package bench

import (
	"slices"
	"testing"
)

func init() {
	RegisterScenario(Scenario{Name: "test/spend", Spend: func(side Side, _ string, _ []byte) (func(int) int64, error) {
		return func(n int) int64 { return int64(1-side) * int64(n) * 5 }, nil
	}})
}

// A scenario may say itself how much of the time counts.
func TestSpend(t *testing.T) {
	s, err := startPair(t).Sample("test/spend", 1000, 20)
	if err != nil || s.Ns != 5 {
		t.Errorf("%v ns an operation, want the 5 that the producer says (%v)", s.Ns, err)
	}
}

// Messages of 1 MiB arrive whole by every way that the limit is measured by; the sides check that themselves.
func TestLimit(t *testing.T) {
	p := startPair(t)
	for _, e := range limitCases()[0].By {
		for range 2 { // the second begins somewhere within the ring
			if s, err := p.Sample(e.Ask, 5, 20); err != nil || !(s.Ns > 0) {
				t.Fatalf("%s: %+v, %v", e.Ask, s, err)
			}
		}
	}
}

func TestFilled(t *testing.T) {
	m := message(3*len(template) - 24)
	if !filled(m, 0) || !filled(m, 8) {
		t.Error("what fill wrote counts as changed")
	}
	for _, at := range []int{8, len(template) - 1, len(template), len(m) - 1} {
		m[at]++
		if filled(m, 8) {
			t.Errorf("a change of byte %d goes unseen", at)
		}
		m[at]--
	}
	if m[0]++; !filled(m, 8) || filled(m, 0) {
		t.Error("bytes before the first are looked at, or the first is not")
	}
}

// The slowest part of the work bounds every entrant of the same round.
func TestBound(t *testing.T) {
	run := &Run{Case: Case{What: Throughput, By: []Entrant{{Name: "ringway"}, {Name: "write", Bound: true}, {Name: "read", Bound: true}, {Name: "copy"}}}}
	var entries []entry
	for i, ns := range []float64{40, 10, 20, 80} {
		entries = append(entries, entry{by: run.Case.By[i].Name, plain: &Sample{Ns: ns}})
	}
	bound := run.bound(entries)
	var got []float64
	for _, e := range entries {
		var x cell
		x.bounded(e, bound)
		got = append(got, x.xbound...)
	}
	if want := []float64{0.5, 2, 1, 0.25}; !slices.Equal(got, want) {
		t.Errorf("parts of the bound %v, want %v", got, want)
	}
	if run.Case.By[1].Bound, run.Case.By[2].Bound = false, false; run.bound(entries) != 0 {
		t.Error("a bound of nothing")
	}
}
