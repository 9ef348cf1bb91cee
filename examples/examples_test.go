// Package examples builds and runs every example.
package examples

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"
)

// hang is no measure of speed.
const hang = 60 * time.Second

var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ringway-examples-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bin = dir
	return m.Run()
}

// program builds an example once and returns its path.
func program(t *testing.T, pkg string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("rings need Linux")
	}
	path := filepath.Join(bin, filepath.Base(pkg))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}

// output runs a program to its end and returns what it printed.
func output(t *testing.T, path string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %v: %v\n%s%s", filepath.Base(path), args, err, out, &stderr)
	}
	return string(out)
}

func TestTicks(t *testing.T) {
	out := output(t, program(t, "./ticks"), "-n", "100000")
	want := regexp.MustCompile(`^consumer \(pid (\d+)\): 100000 ticks in order, volume \d+, mean price \d+\.\d\d\nproducer \(pid (\d+)\): 100000 ticks of 40 bytes in .*s\n$`)
	m := want.FindStringSubmatch(out)
	if m == nil || m[1] == m[2] {
		t.Fatalf("unexpected output:\n%s", out)
	}
	if _, err := os.Lstat("/dev/shm/ringway-ticks-" + m[2] + ".ring"); err == nil {
		t.Error("the ring is left behind")
	}
}

func TestTicksEmpty(t *testing.T) {
	out := output(t, program(t, "./ticks"), "-n", "0")
	if !regexp.MustCompile(`: 0 ticks in order, volume 0, mean price 0\.00\n`).MatchString(out) {
		t.Fatalf("unexpected output:\n%s", out)
	}
}

func TestHandoff(t *testing.T) {
	out := output(t, program(t, "./handoff"), "-n", "300")
	want := regexp.MustCompile(`^child \(pid (\d+)\): (300 messages, \d+ bytes, sum [0-9a-f]{16})\nparent \(pid (\d+)\): (300 messages, .*)\n$`)
	m := want.FindStringSubmatch(out)
	if m == nil || m[1] == m[3] || m[2] != m[4] {
		t.Fatalf("parent and child do not agree:\n%s", out)
	}
}

func TestWrongUse(t *testing.T) {
	for pkg, flag := range map[string]string{"./ticks": "-n=-1", "./handoff": "-n=-1", "./telemetry/sampler": "-rate=0", "./telemetry/aggregator": "-every=0"} {
		cmd := exec.Command(program(t, pkg), flag)
		if cmd.Run(); cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("%s %s: %v, want exit status 2", pkg, flag, cmd.ProcessState)
		}
	}
}

// started is a telemetry program that runs until it is killed.
type started struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, path string, args ...string) *started {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(hang, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &started{cmd, bufio.NewScanner(stdout)}
}

func (s *started) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

var aggregate = regexp.MustCompile(`^\d\d:\d\d:\d\d  [1-9]\d* samples, \d+ missing, 0 damaged  cpu (-|\d+%)  [\d,]+ switches/s  [\d,]+ faults/s  [\d.]+ \w+ available  rx [\d.]+ \w+/s  load \d+\.\d\d$`)

// aggregates reads n lines.
func (s *started) aggregates(t *testing.T, n int) {
	t.Helper()
	for range n {
		if !s.lines.Scan() {
			t.Fatalf("the aggregator ended: %v", s.lines.Err())
		}
		if !aggregate.MatchString(s.lines.Text()) {
			t.Fatalf("unexpected line: %s", s.lines.Text())
		}
	}
}

// Either side may start first, be killed and start again.
func TestTelemetryRestarts(t *testing.T) {
	sampler, aggregator := program(t, "./telemetry/sampler"), program(t, "./telemetry/aggregator")
	path := filepath.Join(t.TempDir(), "telemetry.ring")
	sampling := []string{"-ring", path, "-rate", "500"}
	aggregating := []string{"-ring", path, "-every", "50ms"}

	a := start(t, aggregator, aggregating...) // there is no ring yet
	s := start(t, sampler, sampling...)
	a.aggregates(t, 2)

	a.kill()
	a = start(t, aggregator, aggregating...)
	a.aggregates(t, 2)

	s.kill()
	s = start(t, sampler, sampling...)
	a.aggregates(t, 2)
	s.kill()
	a.kill()

	out := output(t, sampler, append(sampling, "-for", "200ms")...)
	if !regexp.MustCompile(`^[1-9]\d* samples pushed, \d+ dropped because nobody read them\n$`).MatchString(out) {
		t.Errorf("unexpected output: %s", out)
	}
	if out := output(t, aggregator, "-ring", path, "-every", "50ms", "-for", "100ms"); !aggregate.MatchString(out[:max(0, bytes.IndexByte([]byte(out), '\n'))]) {
		t.Errorf("nothing of what the sampler left: %q", out)
	}
}
