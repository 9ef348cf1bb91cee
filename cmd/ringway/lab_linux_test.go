package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ringway/cmd/ringway/internal/lab"
)

// labJSON runs an experiment and decodes its one line of JSON.
func labJSON[T any](t *testing.T, args ...string) T {
	t.Helper()
	a := call(t, "", append(append([]string{"lab"}, args...), "--json")...).ok(t, strings.Join(args, " "))
	if strings.Count(a.stdout, "\n") != 1 {
		t.Errorf("%v: JSON is not one line: %q", args, a.stdout)
	}
	return decode[T](t, a.stdout)[0]
}

func TestLabRace(t *testing.T) {
	r := labJSON[raceFacts](t, "race", "--seen", "2", "--for", "5s")
	var rounds uint64
	var wrong []uint64
	for _, o := range r.Outcomes {
		rounds += o.Count
		if o.Count > 0 && (o.FirstRound == 0 || o.FirstRound > r.Rounds) {
			t.Errorf("x = %d was first seen in round %d of %d", o.X, o.FirstRound, r.Rounds)
		}
		if !o.Correct {
			wrong = append(wrong, o.X)
		}
	}
	if rounds != r.Rounds || r.Start != 5 || r.PIDs[0] == r.PIDs[1] || !slices.Equal(wrong, []uint64{10, 6}) {
		t.Errorf("the report does not add up: %+v", r)
	}
	if !r.AllSeen {
		t.Logf("not every outcome was seen in %d rounds; this machine lets two processes hardly run at once", r.Rounds)
	}
}

// With too few rounds for all outcomes the report names those it did not see.
func TestLabRaceSaysWhatItDidNotSee(t *testing.T) {
	a := call(t, "", "lab", "race", "--rounds", "1").ok(t, "one round")
	if !strings.Contains(a.stdout, "NOT SEEN: ") || !strings.Contains(a.stdout, "\n1 round in ") {
		t.Errorf("one round shows at most one outcome: %s", a.stdout)
	}
	if r := labJSON[raceFacts](t, "race", "--rounds", "1"); r.AllSeen || r.Rounds != 1 {
		t.Errorf("one round: %+v", r)
	}
}

func TestLabCounter(t *testing.T) {
	for _, procs := range []int{1, 2, 3} {
		r := labJSON[counterFacts](t, "counter", "--procs", strconv.Itoa(procs), "--ops", "5000")
		if len(r.Guards) != len(lab.Guards) {
			t.Fatalf("%d guards, want %d", len(r.Guards), len(lab.Guards))
		}
		for i, g := range r.Guards {
			want := uint64(procs) * 5000
			if g.Guard != lab.Guards[i] || g.Expected != want || int64(g.Expected-g.Counted) != g.Lost || g.NsPerOp <= 0 || len(g.PIDs) < procs {
				t.Errorf("the report does not add up: %+v", g)
			}
			if (g.Guard != "none" || procs == 1) && g.Counted != want || g.Counted == 0 || g.Counted > want {
				t.Errorf("%d processes, %s: counted %d of %d", procs, g.Guard, g.Counted, want)
			}
		}
	}
	if a := call(t, "", "lab", "counter", "--guard", "none", "--ops", "1000").ok(t, "text"); !strings.Contains(a.stdout, "\nnone ") || strings.Contains(a.stdout, "\natomic ") {
		t.Errorf("--guard none printed %s", a.stdout)
	}
}

func TestLabBoundedBuffer(t *testing.T) {
	for _, slots := range []int{1, 2, 16} {
		r := labJSON[bufferFacts](t, "boundedbuffer", "--slots", strconv.Itoa(slots), "--items", "1000")
		if len(r.Buffers) != len(lab.Buffers) {
			t.Fatalf("%d ways, want %d", len(r.Buffers), len(lab.Buffers))
		}
		for i := range r.Buffers {
			b := &r.Buffers[i]
			if b.Buffer != lab.Buffers[i] || b.Produced != 1000 || b.ProducedSum != 1000*1001/2 || b.Taken-b.Twice+b.Lost != b.Produced || b.ItemsPerSecond <= 0 {
				t.Errorf("the report does not add up: %+v", b)
			}
			if b.Buffer != "unsafe" && !b.Good() {
				t.Errorf("%d slots, %s: %+v", slots, b.Buffer, b)
			}
		}
	}
	if a := call(t, "", "lab", "boundedbuffer", "--buffer", "ring", "--items", "1000").ok(t, "text"); !strings.Contains(a.stdout, "\nring ") {
		t.Errorf("--buffer ring printed %s", a.stdout)
	}
}

func TestLabOwnerDeath(t *testing.T) {
	r := labJSON[deathFacts](t, "ownerdeath", "--for", "50ms")
	var held []string
	for _, h := range r.Held {
		held = append(held, h.Held)
		if h.Free != (h.Held != "word") || h.PID == 0 || h.After <= 0 {
			t.Errorf("%s: %+v", h.Held, h)
		}
		if h.Held == "mutex" && (h.Said != "ErrOwnerDead" || h.Found != "90 of 100" || h.Becomes != "repaired, 100 of 100") {
			t.Errorf("what the dead left half done was not repaired: %+v", h)
		}
	}
	if !slices.Equal(held, lab.Holdings) {
		t.Errorf("held were %v, want %v", held, lab.Holdings)
	}
}

type wrongUse struct{ args, says string }

func labWrongUse(t *testing.T, table []wrongUse) {
	t.Helper()
	for _, test := range table {
		a := call(t, "", append([]string{"lab"}, strings.Fields(test.args)...)...).want(t, test.args, exitUsage, test.says)
		if !strings.HasSuffix(a.stderr, " --help\n") || a.stdout != "" {
			t.Errorf("%s: no hint at help, or something on standard output: %q %q", test.args, a.stderr, a.stdout)
		}
	}
}

func TestLabWrongUse(t *testing.T) {
	labWrongUse(t, []wrongUse{
		{"nonsense", `no experiment "nonsense"`},
		{"rase", "did you mean race"},
		{"race now", `"now" is one argument too many`},
		{"race --for 0s", "--for 0s is out of range"},
		{"race --for soon", `invalid argument "soon" for "--for" flag: it takes a duration`},
		{"race --rounds -1", `invalid argument "-1" for "--rounds" flag: it takes a whole number, 0 or more`},
		{"race --seen 0", "--seen must be 1 or more"},
		{"race --window -1ns", "--window -1ns is out of range"},
		{"race --window 1s", "--window 1s is out of range"},
		{"counter --guard hope", `--guard must be none, .*, not "hope"`},
		{"counter --procs 0", "--procs 0 is out of range"},
		{"counter --procs 65", "--procs 65 is out of range"},
		{"counter --ops 0", "--ops 0 is out of range"},
		{"counter --ops 1000000001", "out of range"},
		{"ownerdeath --for 0s", "--for 0s is out of range"},
		{"boundedbuffer --buffer hope", `--buffer must be unsafe, .*, not "hope"`},
		{"boundedbuffer --slots 0", "--slots 0 is out of range"},
		{"boundedbuffer --slots 3", "not a power of two; use 2 or 4"},
		{"boundedbuffer --items 0", "--items 0 is out of range"},
	})
	call(t, "", "lab", "counter", "--guard", "").want(t, "an empty guard", exitUsage, "--guard must be")
	call(t, "", "lab", "worker", "{}").want(t, "a worker by hand", exitFailed, "run ringway lab")
}

func TestLabHelp(t *testing.T) {
	for _, verb := range []string{"race", "counter", "boundedbuffer", "compare", "ownerdeath"} {
		a := call(t, "", "lab", verb, "--help").ok(t, verb)
		for _, part := range []string{"Usage:\n  ringway lab " + verb, "Examples:\n  ringway lab " + verb, "Flags:\n", "--json"} {
			if !strings.Contains(a.stdout, part) {
				t.Errorf("lab %s --help lacks %q:\n%s", verb, part, a.stdout)
			}
		}
	}
	a := call(t, "", "lab").ok(t, "lab")
	for _, verb := range []string{"race", "counter", "boundedbuffer", "compare", "ownerdeath"} {
		if !strings.Contains(a.stdout, "\n  "+verb) {
			t.Errorf("lab does not name %s: %s", verb, a.stdout)
		}
	}
	for args, want := range map[string]string{
		"lab ":                        "boundedbuffer\t",
		"lab counter --guard ":        strings.Join(lab.Guards, "\n"),
		"lab boundedbuffer --buffer ": strings.Join(lab.Buffers, "\n"),
		"lab compare --transports ":   strings.Join(transportNames(), "\n"),
	} {
		if a := call(t, "", append([]string{"__complete"}, strings.Split(args, " ")...)...); !strings.HasPrefix(a.stdout, want) {
			t.Errorf("completion of %q: %q, want %q", args, a.stdout, want)
		}
	}
}

// descendants are the processes that pid started.
func descendants(t *testing.T, pid int) (pids []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		for _, one := range strings.Fields(string(text)) {
			n, err := strconv.Atoi(one)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
	}
	return pids
}

// A signal ends an experiment and all of its processes, and so does the death of one.
func TestLabStopsAndCleansUp(t *testing.T) {
	endless := map[string][]string{
		"race":          {"--seen", "1000000000000", "--for", "10m"},
		"counter":       {"--guard", "none", "--ops", "1000000000", "--procs", "4"},
		"boundedbuffer": {"--buffer", "ring", "--items", "100000000"},
		"compare":       {"--for", "1m"},
	}
	for verb, flags := range endless {
		for _, end := range []struct {
			name   string
			do     func(p *os.Process, workers []int) error
			status int
			says   string
		}{
			{"SIGINT", func(p *os.Process, _ []int) error { return p.Signal(os.Interrupt) }, 130, `stopped by a signal \(interrupt\)`},
			{"SIGTERM", func(p *os.Process, _ []int) error { return p.Signal(syscall.SIGTERM) }, 143, "stopped by a signal"},
			{"a worker dies", func(_ *os.Process, workers []int) error { return syscall.Kill(workers[0], syscall.SIGKILL) }, 1, `\(pid \d+\): signal: killed`},
		} {
			t.Run(verb+"/"+end.name, func(t *testing.T) {
				p := start(t, ringway(t, append([]string{"lab", verb}, flags...)...))
				var workers []int
				eventually(t, "two workers run", func() bool {
					workers = descendants(t, p.Process.Pid)
					return len(workers) >= 2
				})
				if err := end.do(p.Process, workers); err != nil {
					t.Fatal(err)
				}
				a := finish(t, p).want(t, verb, end.status, "^ringway lab "+verb+": .*"+end.says)
				if a.stdout != "" {
					t.Errorf("half a result: %s", a.stdout)
				}
				for _, pid := range workers {
					if running(pid) {
						t.Errorf("process %d is left behind", pid)
					}
				}
				left, err := filepath.Glob("/dev/shm/*ringway-lab*")
				if err != nil || len(left) > 0 {
					t.Errorf("left behind: %v %v", left, err)
				}
			})
		}
	}
}
