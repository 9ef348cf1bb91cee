package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/shm"
)

// hangLimit is no measure of speed: what takes longer hangs.
const hangLimit = time.Minute

// smallShm makes a test process see, in a mount namespace of its own, a shared
// memory directory of that size instead of the machine's.
const smallShm = "RINGWAY_TEST_SHM"

func prepareTestProcess() {
	size := os.Getenv(smallShm)
	if size == "" {
		return
	}
	if err := unix.Mount("tmpfs", shm.Dir, "tmpfs", 0, "size="+size); err != nil {
		fmt.Fprintln(os.Stderr, "mount:", err)
		os.Exit(99)
	}
	status := run(os.Args[1:])
	left, err := os.ReadDir(shm.Dir)
	fmt.Println("left behind:", len(left), err)
	os.Exit(status)
}

// ringway returns the command as a process, not started yet, that does not outlive the test.
func ringway(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "RINGWAY_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0") // or each call takes a second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// answer is what a process said, and its exit status; negative: a signal killed it.
type answer struct {
	status         int
	stdout, stderr string
}

// call runs ringway to its end.
func call(t testing.TB, input string, args ...string) answer {
	t.Helper()
	cmd := ringway(t, args...)
	cmd.Stdin = strings.NewReader(input)
	return finish(t, start(t, cmd))
}

// process is a running ringway whose output is collected.
type process struct {
	*exec.Cmd
	out, err bytes.Buffer
	done     chan error
}

func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd, done: make(chan error, 1)}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	cmd.Stderr = &p.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended unless the test failed
	return p
}

// finish waits for the process to end.
func finish(t testing.TB, p *process) answer {
	t.Helper()
	select {
	case err := <-p.done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
	case <-time.After(hangLimit):
		_ = p.Process.Signal(syscall.SIGQUIT)
		<-p.done
		t.Fatalf("%v hangs:\n%s", p.Args[1:], p.err.String())
	}
	return answer{p.ProcessState.ExitCode(), p.out.String(), p.err.String()}
}

// want checks the exit status, what standard error says, and that an error is one line.
func (a answer) want(t testing.TB, what string, status int, stderr string) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: exit status %d, want %d; standard error: %s", what, a.status, status, a.stderr)
	}
	if !regexp.MustCompile(stderr).MatchString(a.stderr) {
		t.Errorf("%s: standard error %q does not match %q", what, a.stderr, stderr)
	}
	if status != 0 {
		oneErrorLine(t, what, a.stderr)
	}
	return a
}

// ok checks for success without a word on standard error.
func (a answer) ok(t testing.TB, what string) answer {
	t.Helper()
	return a.want(t, what, 0, "^$")
}

func oneErrorLine(t testing.TB, what, stderr string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") || !strings.HasPrefix(stderr, "ringway") {
		t.Errorf("%s: an error must be one line that begins with ringway, not %q", what, stderr)
	}
}

// newRing creates a ring in a directory of its own and returns its path.
func newRing(t testing.TB, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.ring")
	call(t, "", append([]string{"create", path}, flags...)...).ok(t, "create")
	return path
}

// listing is every name below a directory, with its size and mode.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && path != dir {
			fmt.Fprintf(&b, "%s %v %d\n", path, info.Mode(), info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// eventually polls for what another process does.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(hangLimit); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// stdinPipe and stdoutPipe are real pipes, as in a shell.
func stdinPipe(t testing.TB, cmd *exec.Cmd) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = r
	t.Cleanup(func() { r.Close(); w.Close() })
	return w
}

func stdoutPipe(t testing.TB, cmd *exec.Cmd) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

// closeOurs closes our copy of the end that a started child has.
func closeOurs(t testing.TB, end any) {
	t.Helper()
	if err := end.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
}
