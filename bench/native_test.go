//go:build linux

package bench

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

func startNative(t *testing.T) *Native {
	t.Helper()
	path, err := BuildNative(t.Context())
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrNoCompiler) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := StartNative(path, twoCPUs(t))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNativeCommands(t *testing.T) {
	n := startNative(t)
	defer n.Close()
	const count = 3000
	cmds := []string{"futexpp 200", "probe 3000"}
	for _, what := range []string{"tp", "rtt"} {
		for _, design := range []string{"rigtorp", "rigtorp128", "seq", "seqstep"} {
			for _, size := range []int{8, 64, 256} {
				for _, slots := range []int{2, 1024, 65536} {
					cmds = append(cmds, fmt.Sprintf("%s %s %d %d %d", what, design, size, slots, count))
				}
			}
		}
	}
	for _, what := range []string{"tp", "tp2", "rtt"} {
		for _, size := range []int{8, 64} {
			cmds = append(cmds, fmt.Sprintf("%s vyukov %d 1024 %d", what, size, 2*count))
		}
	}
	for _, c := range cmds {
		r, err := n.Run(c)
		if err != nil {
			t.Fatal(err)
		}
		if !(r.Ns > 0) || !(r.Before > 0) || !(r.After > 0) {
			t.Errorf("%s: %+v: a time that is not positive", c, r)
		}
		var sent int
		fmt.Sscan(c[strings.LastIndexByte(c, ' ')+1:], &sent)
		if r.Verified != sent {
			t.Errorf("%s: %d of %d messages verified", c, r.Verified, sent)
		}
	}
}

// A timed command tells how long each round trip took, and no other does.
func TestNativeLatencies(t *testing.T) {
	n := startNative(t)
	defer n.Close()
	for _, c := range []string{"timed rigtorp 64 1024 700", "timed seq 8 1024 700", "timed vyukov 8 1024 700", "futexpp-timed 700"} {
		r, err := n.Run(c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Latency == nil || r.Latency.TotalCount() != 700 || r.Latency.Min() < 1 || r.Verified != 700 {
			t.Errorf("%s: %+v", c, r)
		}
		// The round trips follow each other: they are all of the time but what the two sides need to meet.
		if sum := r.Latency.Mean() * 700; sum > r.Ns*700*1.01 {
			t.Errorf("%s: round trips of %.0f ns together in %.0f ns", c, sum, r.Ns*700)
		}
	}
	if r, err := n.Run("rtt rigtorp 64 1024 700"); err != nil || r.Latency != nil {
		t.Errorf("rtt: %+v, %v", r, err)
	}
	for _, list := range []string{"5", "x:1", "5:0", "5:-1"} {
		if _, err := readLatencies(list); err == nil {
			t.Errorf("%q is no error", list)
		}
	}
}

func TestNativeRefuses(t *testing.T) {
	n := startNative(t)
	defer n.Close()
	for cmd, want := range map[string]string{
		"":                                "empty command",
		"fly 1":                           "unknown command",
		"tp rigtorp 64 1024":              "need",
		"tp rigtorp 65 1024 10":           "no such ring",
		"tp best 64 1024 10":              "no such ring",
		"tp seq 64 1000 10":               "power of two",
		"rtt seq 256 1048576 10":          "too large",
		"probe 0":                         "n must be",
		"futexpp":                         "need",
		"timed rigtorp 8 1024 1000001":    "at most",
		"timed rigtorp 8 1024":            "need",
		"tp2 vyukov 8 1024 11":            "even",
		"tp2 rigtorp 8 1024 10":           "no such ring",
		"batch seq 8 1024 10":             "no such ring",
		"tp seq 8 18446744073709551615 1": "power of two",
	} {
		if _, err := n.Do(cmd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", cmd, err, want)
		}
	}
	if _, err := n.Do("probe 100"); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

func TestNativeNeedsCompiler(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := BuildNative(t.Context()); !errors.Is(err, ErrNoCompiler) || strings.Contains(err.Error(), "\n") {
		t.Errorf("without g++: error %v, want ErrNoCompiler", err)
	}
}

func TestNativeBuildsOnce(t *testing.T) {
	startNative(t).Close()
	path, err := BuildNative(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if path, err = BuildNative(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.Stat(path); err != nil || !os.SameFile(a, b) {
		t.Errorf("built twice: %v", err)
	}
}

// Close must leave neither the server nor the process it forked.
func TestNativeLeavesNoOrphan(t *testing.T) {
	n := startNative(t)
	if _, err := n.Do("probe 100"); err != nil {
		t.Fatal(err)
	}
	pid := n.cmd.Process.Pid
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Skip("this kernel does not list children: ", err)
	}
	children := strings.Fields(string(b))
	if len(children) != 3 {
		t.Fatalf("the server has not a consumer and two more for teams: %q", b)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range children {
		var child int
		fmt.Sscan(c, &child)
		if err := syscall.Kill(child, 0); err != syscall.ESRCH { // the server waits for it
			t.Errorf("process %d outlived its server: %v", child, err)
		}
	}
}
