package bench

import (
	"slices"
	"strings"
	"testing"
)

// Every scenario carries its payload whole, over the smallest of its rings: the sides check it themselves and panic.
func TestScenarios(t *testing.T) {
	pair, crowd := startPair(t), startSides(t, 4)
	for name := range scenarios {
		p, n := pair, 320
		switch {
		case strings.HasPrefix(name, "test/"), strings.Contains(name, "65536") && !strings.Contains(name, "msg"),
			strings.Contains(name, "8388608"), strings.Contains(name, "16777216"), strings.Contains(name, "1048576"),
			hasAny(name, " 262144", " 4194304") && !strings.Contains(name, "msg"):
			continue
		case strings.HasSuffix(name, " idle"):
			n = 10
		case strings.Contains(name, "many-wait"): // each wait may cost a wake-up, on a machine that has others to run
			p, n = crowd, 128
		case strings.Contains(name, " many"):
			p, n = crowd, 3200 // more than the ring holds
		case hasAny(name, "rtt", "parked", "default", "spin"):
			n = 32
		case strings.HasSuffix(name, " 1024"):
			n = 3200
		}
		s, err := p.Measure(Request{Scenario: name, N: n, Trips: 20, Stream: 1})
		if err != nil {
			t.Fatal(err)
		}
		timed := strings.Contains(name, "timed") || strings.Contains(name, "paced")
		if !(s.Ns > 0) || !(s.Stream > 0) || timed != (s.Latency != nil) {
			t.Errorf("%s: %+v", name, s)
		}
		if timed && s.Latency.TotalCount() != int64(n) {
			t.Errorf("%s: %d of %d operations timed", name, s.Latency.TotalCount(), n)
		}
	}
}

func hasAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}

func startSides(t *testing.T, n int) *Pair {
	t.Helper()
	cpus := twoCPUs(t)
	p, err := StartSides(cpus[:], n, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// A crowd meets at every barrier although its sides share CPUs, and the work is shared among the pairs.
func TestCrowd(t *testing.T) {
	p := startSides(t, 8)
	for range 5 {
		s, err := p.Measure(Request{Scenario: "mpmc many 8 1024", N: 8000, Trips: 50})
		if err != nil {
			t.Fatal(err)
		}
		if !s.Crowded || !(s.Before > 0) || !(s.Ns > 0) {
			t.Errorf("a crowd of eight on two CPUs: %+v", s)
		}
	}
	for _, sides := range []int{0, 1, 3, 10} {
		if _, err := StartSides([]int{0, 1}, sides, 0); err == nil || !strings.Contains(err.Error(), "sides") {
			t.Errorf("%d sides: error %v", sides, err)
		}
	}
}

// Any number of producers share the first CPU, and a single consumer sees all of each in order.
func TestProducers(t *testing.T) {
	cpus := twoCPUs(t)
	for _, producers := range GrowProducers {
		p, err := StartProducers(cpus[:], producers, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Measure(Request{Scenario: "mpmc many 8 1024", N: 8192, Trips: 50})
		if err != nil {
			t.Fatal(err)
		}
		if s.Crowded != (producers > 1) || !(s.Before > 0) || !(s.Ns > 0) {
			t.Errorf("%d producers on two CPUs: %+v", producers, s)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, producers := range []int{0, 17} {
		if _, err := StartProducers(cpus[:], producers, 0); err == nil || !strings.Contains(err.Error(), "producers") {
			t.Errorf("%d producers: error %v", producers, err)
		}
	}
}

// A killed pair ends a round with an error, at once and without leaving anything.
func TestKill(t *testing.T) {
	p := startPair(t)
	done := make(chan error)
	go func() {
		_, err := p.Sample("ringway idle", 50_000, 20)
		done <- err
	}()
	p.Kill()
	if err := <-done; err == nil {
		t.Error("a killed pair measured")
	}
}

// A round counts for all entrants or for none.
func TestRounds(t *testing.T) {
	cases, err := Select(Cases(), "SPSC/RoundTrip/wait=spin/size=8$")
	if err != nil || len(cases) != 1 {
		t.Fatal(cases, err)
	}
	cpus := twoCPUs(t)
	run, err := (&Runner{cpus: cpus[:]}).Start(cases[0]) // without natives
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	run.Case.N = 100
	run.Case.By = append(run.Case.By[:1:1], Entrant{Name: "again", Ask: run.Case.By[0].Ask})
	for range 10 {
		if _, err := run.Round(); err != nil {
			t.Fatal(err)
		}
	}
	rows := run.Rows()
	if len(rows)%2 != 0 || len(rows) == 0 && len(run.Discarded) == 0 {
		t.Errorf("%d rows, discarded %v", len(rows), run.Discarded)
	}
	for i := 0; i+1 < len(rows); i += 2 {
		a, b := rows[i], rows[i+1]
		if a.Samples != b.Samples || a.Regime != b.Regime || a.By == b.By {
			t.Errorf("entrants differ in what counted: %+v and %+v", a, b)
		}
		if l := a.Latency; l == nil || l.Count != int64(100*a.Samples) || l.P50 > l.P99 || l.P99 > l.Max || len(l.Curve) == 0 {
			t.Errorf("latencies of %d samples of 100: %+v", a.Samples, a.Latency)
		}
	}
}
