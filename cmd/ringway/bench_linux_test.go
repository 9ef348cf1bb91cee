package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringway/bench"
)

// A case whose sides sleep: it counts wherever the host has put the CPUs, and takes hardly any of them.
const quietCase = "SPSC/Idle"

func needTwoCPUs(t *testing.T) {
	t.Helper()
	if _, err := bench.TwoCPUs(); err != nil {
		t.Skip(err)
	}
}

func TestBench(t *testing.T) {
	needTwoCPUs(t)
	dir := t.TempDir()
	page, plots := filepath.Join(dir, "page.html"), filepath.Join(dir, "plots")
	a := call(t, "", "bench", quietCase, "--samples", "1", "--limit", "50s", "--native=false", "--json").ok(t, "bench --json")
	d := json.NewDecoder(strings.NewReader(a.stdout))
	d.DisallowUnknownFields()
	var r bench.Report
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("more than one object: %v", err)
	}
	if r.Format != bench.Format || len(r.Rows) != 1 || len(r.CPUs) < 2 || !strings.Contains(r.Command, "--native=false") {
		t.Fatalf("a report of one case: %+v", r)
	}
	if row := r.Rows[0]; !(row.Min > 0) || row.Min > row.Median || row.Median > row.Max || !(row.Probe > 0) || row.By != "ringway" {
		t.Errorf("a row: %+v", row)
	}

	file := filepath.Join(dir, "report.json")
	if err := os.WriteFile(file, []byte(a.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	a = call(t, "", "bench", quietCase, "--samples", "1", "--limit", "50s", "--native=false", "--with", file, "--html", page, "--plots", plots).ok(t, "bench --html")
	for _, want := range []string{"IDLE", "SPSC/Idle", "go1."} {
		if !strings.Contains(a.stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, a.stdout)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil || strings.Count(string(b), "<td>SPSC/Idle") != 2 {
		t.Errorf("the page does not hold the rows of both reports (%v)", err)
	}
}

func TestBenchList(t *testing.T) {
	a := call(t, "", "bench", "--list").ok(t, "bench --list")
	if n := strings.Count(a.stdout, "\n"); n != len(bench.Cases()) {
		t.Errorf("%d cases listed, want %d", n, len(bench.Cases()))
	}
}

func TestBenchReadsNoNonsense(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.html")
	for text, want := range map[string]string{
		"":                                    "not a report of the bench",
		"{}":                                  `format is ""`,
		`{"format":"x"}`:                      `format is "x"`,
		`{"groups":[{"name":"none"}]}`:        "names no size",
		`{"groups":[{"name":"Single, 8 B"}]}`: "no row",
	} {
		file := filepath.Join(dir, "report.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		call(t, "", "bench", "--render", "--with", file, "--html", page).want(t, text, exitFailed, want)
	}
	call(t, "", "bench", "--render", "--with", filepath.Join(dir, "none"), "--html", page).want(t, "no file", exitFailed, "no such file")
	if _, err := os.Stat(page); err == nil {
		t.Error("a page was written all the same")
	}
}

// A bench that is stopped leaves neither files nor processes, however it is stopped.
func TestBenchStops(t *testing.T) {
	needTwoCPUs(t)
	for sig, status := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129, syscall.SIGKILL: -1} {
		p := start(t, ringway(t, "bench", quietCase, "--samples", "100000", "--limit", "1h", "--native=false"))
		var sides []int
		eventually(t, "both sides run and their files are hidden", func() bool {
			sides = children(p.Process.Pid)
			return len(sides) == 2 && len(benchFiles(t, p.Process.Pid)) == 0
		})
		signalTo(t, p, sig)
		if a := finish(t, p); a.status != status || a.stdout != "" {
			t.Errorf("%v: status %d, %q %q", sig, a.status, a.stdout, a.stderr)
		} else if sig != syscall.SIGKILL && (strings.Count(a.stderr, "\n") != 1 || !strings.Contains(a.stderr, "stopped by a signal")) {
			t.Errorf("%v: it says %q", sig, a.stderr)
		}
		for _, pid := range sides {
			eventually(t, fmt.Sprint("the end of side ", pid), func() bool { return !running(pid) })
		}
		if left := benchFiles(t, p.Process.Pid); len(left) > 0 {
			t.Errorf("%v: left behind %v", sig, left)
		}
	}
}

// children lists the processes that pid started.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f) // the thread may have ended
		for text := range strings.FieldsSeq(string(b)) {
			var child int
			if _, err := fmt.Sscan(text, &child); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func benchFiles(t *testing.T, pid int) []string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/dev/shm/ringway-bench-%d-*", pid))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
