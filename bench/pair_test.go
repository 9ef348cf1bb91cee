//go:build linux

package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func twoCPUs(t *testing.T) [2]int {
	t.Helper()
	cpus, err := TwoCPUs()
	if err != nil {
		t.Skip(err)
	}
	return cpus
}

func init() {
	// Each side proves that memory is zeroed and that it sees the n the other sees.
	Register("test/mark", 1<<16, func(mem []byte, n int) {
		binary.LittleEndian.PutUint64(mem, uint64(n))
	}, func(mem []byte, n int) {
		for i, b := range mem[8:] {
			if b != 0 {
				panic(fmt.Sprintf("byte %d of the memory is not zeroed", i+8))
			}
		}
		mem[len(mem)-1] = 1 // to be zeroed before the next run
	})
	Register("test/panic", 0, func([]byte, int) {}, func([]byte, int) { panic("wrong payload, as the test wants it") })
	RegisterScenario(Scenario{Name: "test/attach", Attach: func(side Side, dir string, mem []byte) (func(int), error) {
		flags := os.O_WRONLY | os.O_APPEND
		if side == ProducerSide {
			flags |= os.O_CREATE | os.O_EXCL // proves that it comes first
		}
		f, err := os.OpenFile(filepath.Join(dir, "attach"), flags, 0o600)
		return func(n int) { fmt.Fprintf(f, "%d %d\n", side, n) }, err
	}})
	RegisterScenario(Scenario{Name: "test/refuse", Attach: func(side Side, _ string, _ []byte) (func(int), error) {
		if side == ProducerSide {
			return nil, errors.New("no seat left")
		}
		return func(int) {}, nil
	}})
}

func startPair(t *testing.T) *Pair {
	t.Helper()
	p, err := StartPair(twoCPUs(t), 0)
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

func TestPair(t *testing.T) {
	p := startPair(t)
	for range 3 {
		s, err := p.Sample("test/mark", 1000, 200)
		if err != nil {
			t.Fatal(err)
		}
		if !(s.Ns > 0) || !(s.Before > 0) || !(s.After > 0) {
			t.Errorf("a time that is not positive: %+v", s)
		}
	}
}

func TestPairAttachesOnce(t *testing.T) {
	p := startPair(t)
	for n := range 2 {
		if _, err := p.Sample("test/attach", n+1, 100); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(p.dir, "attach"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"0 1\n", "1 1\n", "0 2\n", "1 2\n"} {
		if strings.Count(string(b), l) != 1 {
			t.Errorf("%q does not hold %q once", b, l)
		}
	}
}

func TestPairErrors(t *testing.T) {
	for name, want := range map[string]string{
		"test/nothing": "no scenario",
		"test/panic":   "ended or hung",
		"test/refuse":  "no seat left",
	} {
		p := startPair(t)
		if _, err := p.Sample(name, 10, 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
	}
	if _, err := StartPair([2]int{0, 0}, 0); err == nil || !strings.Contains(err.Error(), "different") {
		t.Errorf("a pair on one CPU: error %v", err)
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Register("test/mark", 0, nil, nil)
}
