package main

import (
	"os"
	"testing"

	"ringway/bench"
)

func TestMain(m *testing.M) {
	bench.ChildMain()
	os.Exit(m.Run())
}

// Every loop checks the number of every message and panics on a wrong one; eight laps of the small rings show each.
func TestVariants(t *testing.T) {
	cpus, err := bench.TwoCPUs()
	if err != nil {
		t.Skip(err)
	}
	p, err := bench.StartPair(cpus, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, v := range variants {
		for _, what := range whats {
			if v.slots != 1024 || !bench.Registered(v.name(what)) {
				continue
			}
			s, err := p.Sample(v.name(what), 8*v.slots, 100)
			if err != nil {
				t.Fatal(err)
			}
			if !(s.Ns > 0) {
				t.Errorf("%s: %g ns", v.name(what), s.Ns)
			}
		}
	}
}

// The strides that the tables name are those that the compiler made.
func TestStrides(t *testing.T) {
	want := map[string]bool{}
	for _, s := range []string{"16", "32", "64", "72", "128", "272", "320"} {
		want["slot word, stride "+s] = false
	}
	for _, v := range variants {
		if _, ok := want[v.design]; ok {
			want[v.design] = true
		}
	}
	for d, seen := range want {
		if !seen {
			t.Errorf("no variant %q", d)
		}
	}
}
