package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringway/bench"
)

func TestMain(m *testing.M) {
	childMain()
	os.Exit(m.Run())
}

// Every scenario of the pair carries its messages, twice.
func TestScenarios(t *testing.T) {
	cpus, err := bench.TwoCPUs()
	if err != nil {
		t.Skip(err)
	}
	p, err := bench.StartPair(cpus, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Realtime = false
	var seen []string
	for _, g := range groups() {
		for _, c := range g.competitors {
			if c.kind != inPair || slices.Contains(seen, c.cmd) {
				continue
			}
			seen = append(seen, c.cmd)
			for range 2 {
				if s, err := p.Sample(c.cmd, 64, 100); err != nil || !(s.Ns > 0) {
					t.Fatalf("%s: %+v, %v", c.cmd, s, err)
				}
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d scenarios: %q", len(seen), seen)
	}
}

// Every command of the native program carries its elements.
func TestNative(t *testing.T) {
	program := os.Getenv("PEERS_NATIVE")
	if program == "" {
		t.Skip("PEERS_NATIVE does not name the program that build.sh makes")
	}
	cpus, err := bench.TwoCPUs()
	if err != nil {
		t.Skip(err)
	}
	r := &runner{path: program}
	if err := r.inventory(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := bench.StartNative(program, cpus)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, g := range groups() {
		for _, c := range r.present(g).competitors {
			if c.kind != inNative {
				continue
			}
			v, err := n.Run(c.cmd + " 640")
			if err != nil && strings.Contains(err.Error(), "out of order") && g.team {
				t.Log(err) // some are no queues when crowded
				continue
			}
			if err != nil || v.Verified != 640 {
				t.Errorf("%s: %+v, %v", c.cmd, v, err)
			}
		}
	}
}

// A file that was cut off in the middle of a line goes on after the last whole one; one of another build begins anew.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	open := func(build string) *journal {
		j, h, err := openJournal(path, head{Build: build, Machine: "m"})
		if err != nil || h.Build != build {
			t.Fatal(h, err)
		}
		return j
	}
	j := open("a")
	for i := range 3 {
		if err := j.add(sample{Group: "g", Peer: "p", Ns: float64(i), Round: i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.f.Truncate(func() int64 { s, _ := j.f.Stat(); return s.Size() - 5 }()), j.f.Close()); err != nil {
		t.Fatal(err)
	}
	j = open("a")
	if err := j.add(sample{Group: "g", Peer: "p", Ns: 7}); err != nil {
		t.Fatal(err)
	}
	j = open("a")
	var ns []float64
	for _, s := range j.of("g") {
		ns = append(ns, s.Ns)
	}
	if !slices.Equal(ns, []float64{0, 1, 7}) {
		t.Errorf("read back %v", ns)
	}
	if j = open("b"); len(j.samples) != 0 {
		t.Errorf("another build goes on with %d samples", len(j.samples))
	}
}

// The report compares within a regime, and with the first row of Ringway.
func TestReport(t *testing.T) {
	g := groups()[0]
	r := &runner{journal: &journal{}, want: minSamples}
	for _, c := range g.competitors {
		if c.kind == inNative {
			r.designs = append(r.designs, strings.Join(strings.Fields(c.cmd)[:3], " "))
		}
	}
	for round := 1; round <= minSamples; round++ {
		for i, c := range g.competitors {
			if r.done(g) {
				t.Fatalf("done in round %d, before %s", round, c.name)
			}
			r.journal.samples = append(r.journal.samples, sample{Group: g.name, Peer: c.name, Regime: "N", Ns: 10 * float64(i+1), Round: round})
		}
	}
	if !r.done(g) {
		t.Error("not done when everybody was seen often enough")
	}
	rows := r.summary(head{}, "").Groups[0].Rows
	if len(rows) != len(g.competitors) || rows[0].Ratio != 1 || rows[2].Ratio != 3 || rows[2].Ns != 30 {
		t.Errorf("rows %+v", rows)
	}
	if r.rows(g, "F") != nil {
		t.Error("rows of a regime that was not seen")
	}
}
