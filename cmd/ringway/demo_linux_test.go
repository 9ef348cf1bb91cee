package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringway/shm"
)

// demoHang is how long a demo of a second or less may take on a busy machine.
const demoHang = 60 * time.Second

// startDemo starts the real demo in a process of its own, through TestMain.
func startDemo(t *testing.T, stdout io.Writer, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(bytes.Buffer)
	cmd := exec.Command(exe, append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), "RINGWAY_TEST_MAIN=1")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(demoHang, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, stderr
}

// demoStatus waits for the demo and returns its exit status.
func demoStatus(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// expectNothingLeft fails if the demo left its ring or one of the given processes.
func expectNothingLeft(t *testing.T, demo int, pids []int) {
	t.Helper()
	path := shm.Path(demoRingName(demo))
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left behind (%v)", path, err)
		os.Remove(path)
	}
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("process %d is left behind", pid)
		}
	}
}

// running reports whether a process runs; one that is dead and not reaped does not.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := b[bytes.LastIndexByte(b, ')')+2]
	return state != 'Z' && state != 'X'
}

var pidLine = regexp.MustCompile(`(?m)^producer pid (\d+), consumer pid (\d+)$`)

func pidsIn(t *testing.T, out string) (pids []int) {
	t.Helper()
	for _, m := range pidLine.FindAllStringSubmatch(out, -1) {
		for _, text := range m[1:] {
			pid, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestDemo(t *testing.T) {
	out := new(bytes.Buffer)
	cmd, stderr := startDemo(t, out, "--for", "1s")
	if status := demoStatus(t, cmd); status != 0 || stderr.Len() != 0 {
		t.Fatalf("exit status %d, stderr %q, stdout:\n%s", status, stderr, out)
	}
	for _, want := range []string{`\nverified: [1-9][0-9,]* records produced, [1-9][0-9,]* consumed`, `\n  ring  .* µ?n?m?s `, `\n  pipe `,
		`\n  unix socket `, `go1\.`, `ringway stat --watch 1s ringway-demo-`, `\nring slept in the kernel: paced [\d,]+, .*; wake-ups lost: \d+\n`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
	for l := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimRight(l, "\n"))); n > 100 {
			t.Errorf("a line has %d columns: %s", n, l)
		}
	}
	pids := pidsIn(t, out.String())
	if len(pids) != 6 {
		t.Errorf("%d processes named, want 6:\n%s", len(pids), out)
	}
	expectNothingLeft(t, cmd.Process.Pid, pids)
}

func TestDemoJSON(t *testing.T) {
	out := new(bytes.Buffer)
	cmd, stderr := startDemo(t, out, "--for", "300ms", "--rate", "20000", "--cap", "64KiB", "--json")
	if status := demoStatus(t, cmd); status != 0 || stderr.Len() != 0 {
		t.Fatalf("exit status %d, stderr %q, stdout:\n%s", status, stderr, out)
	}
	d := json.NewDecoder(out)
	d.DisallowUnknownFields()
	var r demoResult
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("more than one object: %v", err)
	}
	if !r.Verified || r.Rate != 20000 || r.For != 300*time.Millisecond || r.Slots != 256 || len(r.Transports) != 3 {
		t.Fatalf("unexpected result %+v", r)
	}
	var pids []int
	for _, x := range r.Transports {
		pids = append(pids, x.ProducerPID, x.ConsumerPID)
		if len(x.Phases) != len(demoPhases) || x.BufferBytes == 0 {
			t.Errorf("%s: %d phases, %d bytes of buffer", x.Name, len(x.Phases), x.BufferBytes)
		}
		for _, p := range x.Phases {
			if !p.Verified || p.Produced.Records == 0 || p.Produced.Records != p.Consumed.Records || p.Produced.Digest != p.Consumed.Digest || p.RecordsPerSecond == 0 {
				t.Errorf("%s, %s: %+v", x.Name, p.Phase, p)
			}
			if l := p.Consumed.Latency; (l != nil) != (p.Phase == paced) || l != nil && (l.P50 == 0 || l.P50 > l.P90 || l.P99 > l.P999 || l.P999 > l.Max) {
				t.Errorf("%s, %s: latency %+v", x.Name, p.Phase, l)
			}
		}
	}
	expectNothingLeft(t, cmd.Process.Pid, pids)
}

// startedDemo starts a long demo and returns once its processes run.
func startedDemo(t *testing.T) (cmd *exec.Cmd, stdout io.ReadCloser, stderr *bytes.Buffer, pids []int) {
	t.Helper()
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdout.Close() })
	cmd, stderr = startDemo(t, w, "--for", "10m")
	w.Close()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if pids = pidsIn(t, lines.Text()); pids != nil {
			return cmd, stdout, stderr, pids
		}
	}
	t.Fatalf("the demo ended early: %v %s", lines.Err(), stderr)
	return nil, nil, nil, nil
}

func TestDemoStopsAndCleansUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(t *testing.T, demo *os.Process, stdout io.Closer, pids []int)
		status int
		words  string
	}{
		{"SIGINT", func(t *testing.T, p *os.Process, _ io.Closer, _ []int) { p.Signal(syscall.SIGINT) }, 130, `stopped by a signal \(interrupt\)`},
		{"SIGTERM", func(t *testing.T, p *os.Process, _ io.Closer, _ []int) { p.Signal(syscall.SIGTERM) }, 143, `stopped by a signal`},
		{"stdout closed", func(t *testing.T, _ *os.Process, out io.Closer, _ []int) { out.Close() }, 1, `standard output: .*broken pipe`},
		{"consumer killed", func(t *testing.T, _ *os.Process, _ io.Closer, pids []int) { syscall.Kill(pids[1], syscall.SIGKILL) }, 1, `the consumer \(pid \d+\) ended too early: signal: killed`},
		{"producer killed", func(t *testing.T, _ *os.Process, _ io.Closer, pids []int) { syscall.Kill(pids[0], syscall.SIGKILL) }, 1, `the producer \(pid \d+\) ended too early: signal: killed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd, stdout, stderr, pids := startedDemo(t)
			c.end(t, cmd.Process, stdout, pids)
			if c.name != "stdout closed" {
				go io.Copy(io.Discard, stdout)
			}
			if status := demoStatus(t, cmd); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			if text := stderr.String(); strings.Count(text, "\n") != 1 || !regexp.MustCompile(`^ringway demo: .*`+c.words).MatchString(text) {
				t.Errorf("stderr is %q, want one line with %s", text, c.words)
			}
			expectNothingLeft(t, cmd.Process.Pid, pids)
		})
	}
}

func TestDemoWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{"--for", "1ms"}, {"--for", "-1s"}, {"--for", "soon"}, {"--rate", "-1"}, {"--rate", "99999999999"}, {"--cap", "100"},
		{"--cap", "96KiB"}, {"--cap", "0"}, {"--cap", "128"}, {"--cpus", "0"}, {"--cpus", "0,1,2"}, {"--cpus", "a,b"}, {"--cpus", ","},
		{"--cpus", "0,-1"}, {"--nonsense"}, {"now"},
	} {
		out := new(bytes.Buffer)
		cmd, stderr := startDemo(t, out, args...)
		if status := demoStatus(t, cmd); status != 2 || out.Len() != 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("demo %v: exit status %d, stdout %q, stderr %q", args, status, out, stderr)
		}
	}
}

// Without room for its ring the demo says so and leaves nothing.
func TestDemoWithoutRoom(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const script = `mount -t tmpfs -o size=256k tmpfs /dev/shm || exit 77; "$0" demo --for 100ms; s=$?; ls -A /dev/shm; exit $s`
	cmd := exec.Command("unshare", "-m", "sh", "-c", script, exe)
	cmd.Env = append(os.Environ(), "RINGWAY_TEST_MAIN=1")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 77 || strings.Contains(stderr.String(), "unshare:") {
		t.Skipf("cannot mount a small /dev/shm here: %v %s", err, &stderr)
	}
	if cmd.ProcessState.ExitCode() != 1 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "the ring needs") {
		t.Errorf("%v, stderr %q", err, &stderr)
	}
	if strings.Contains(out.String(), demoPrefix) && strings.Contains(out.String(), shm.Ext) {
		t.Errorf("something is left: %s", &out)
	}
}
