package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Somebody truncates the file under a running peer: one line, no fault.
func TestTruncated(t *testing.T) {
	const gone = "somebody truncated the file|was truncated or extended|the file is empty"
	for what, test := range map[string]struct {
		args  string
		begin func(t *testing.T, path string, p *process, in io.Writer) // brings the peer to where it should be
		after string                                                    // input once the file is cut
	}{
		"recv asleep":      {"recv", seated, ""},
		"recv at work":     {"recv --raw", busySender, ""},
		"send asleep":      {"send", seated, "x\n"},
		"raw send asleep":  {"send --raw", seated, "x\n"},
		"send into a full": {"send --raw", filled, ""},
		"send at work":     {"send --raw", busyReceiver, ""},
		"stat --watch":     {"stat --watch 10ms", watching, ""},
	} {
		t.Run(what, func(t *testing.T) {
			path := newRing(t, "--cap", "64KiB")
			args := strings.Fields(test.args)
			cmd := ringway(t, append([]string{args[0], path}, args[1:]...)...)
			in := stdinPipe(t, cmd)
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd.Stdout = out
			p := start(t, cmd)
			closeOurs(t, cmd.Stdin)
			test.begin(t, path, p, in)
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			if test.after != "" {
				if _, err := io.WriteString(in, test.after); err != nil {
					t.Fatal(err)
				}
			}
			finish(t, p).want(t, test.args, exitFailed, gone)
		})
	}
}

func seated(t *testing.T, path string, p *process, _ io.Writer) {
	eventually(t, "a seat is taken", func() bool {
		f := decode[statFacts](t, call(t, "", "stat", path, "--json").stdout)
		return len(f) == 1 && len(f[0].Seats) == 1 && f[0].Seats[0].PID == p.Process.Pid
	})
}

// watching waits until stat has shown the ring once.
func watching(t *testing.T, _ string, p *process, _ io.Writer) {
	shown := p.Stdout.(*os.File)
	eventually(t, "stat shows the ring", func() bool {
		info, err := shown.Stat()
		return err == nil && info.Size() > 0
	})
}

// endless feeds zeros to a process for as long as it takes them.
func endless(in io.Writer) { _, _ = io.Copy(in, zeros{}) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func filled(t *testing.T, path string, p *process, in io.Writer) {
	go endless(in)
	full(t, path)
}

func moving(t *testing.T, path string) {
	eventually(t, "the stream flows", func() bool {
		f := decode[statFacts](t, call(t, "", "stat", path, "--json").stdout)
		return len(f) == 1 && f[0].Head > 1<<20
	})
}

func busyReceiver(t *testing.T, path string, p *process, in io.Writer) {
	go endless(in)
	other := ringway(t, "recv", path, "--raw")
	devNull(t, other)
	start(t, other)
	moving(t, path)
}

func busySender(t *testing.T, path string, p *process, _ io.Writer) {
	other := ringway(t, "send", path, "--raw")
	in := stdinPipe(t, other)
	start(t, other)
	go endless(in)
	moving(t, path)
}

func devNull(t *testing.T, cmd *exec.Cmd) {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	cmd.Stdout = f
}

// A truncated file and a signal at once: still no fault.
func TestTruncatedAndInterrupted(t *testing.T) {
	for range 10 {
		path := newRing(t, "--cap", "64KiB")
		r := start(t, ringway(t, "recv", path))
		seated(t, path, r, nil)
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		// It may have noticed and gone already.
		if err := r.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if a := finish(t, r); a.status < 0 || a.status > 1 || strings.Count(a.stderr, "\n") > 1 {
			t.Fatalf("status %d: %s", a.status, a.stderr)
		}
	}
}
