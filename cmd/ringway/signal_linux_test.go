package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func signalTo(t testing.TB, p *process, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// full waits until the ring is as full as its sender can make it.
func full(t testing.TB, path string) {
	t.Helper()
	last := -1
	eventually(t, "the ring is full", func() bool {
		f := decode[statFacts](t, call(t, "", "stat", path, "--json").ok(t, "stat").stdout)[0]
		stands := f.Depth > 0 && f.Depth == last && f.Parks > 0
		last = f.Depth
		return stands
	})
}

// A send that is interrupted says how far it came, and another one can go on from there.
func TestInterruptedSendResumes(t *testing.T) {
	input := randomBytes(t, 1_000_000)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		path := newRing(t, "--cap", "64KiB")
		send := ringway(t, "send", path, "--raw", "-v")
		send.Stdin = bytes.NewReader(input)
		s := start(t, send)
		full(t, path)
		signalTo(t, s, sig)
		a := finish(t, s)
		var messages, sent int
		if n, err := fmt.Sscanf(a.stderr, "%d messages, %d bytes sent\n", &messages, &sent); n != 2 || a.status != 0 || sent < 32<<10 || sent > 64<<10 {
			t.Fatalf("%v: status %d, %q, %v", sig, a.status, a.stderr, err)
		}
		got := through(t, path, input[sent:], "--raw")
		if sha256.Sum256(got) != sha256.Sum256(input) {
			t.Errorf("%v: %d bytes came out of %d, or not the same", sig, len(got), len(input))
		}
	}
}

// What was read from a file and not sent goes back: the next reader of it goes on there.
func TestInterruptedSendGivesBack(t *testing.T) {
	var input bytes.Buffer
	for n := range 50_000 {
		fmt.Fprintf(&input, "line %d\n", n)
	}
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, input.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := newRing(t, "--cap", "16KiB")
	send := ringway(t, "send", path)
	send.Stdin = f
	s := start(t, send)
	full(t, path)
	signalTo(t, s, syscall.SIGINT)
	finish(t, s).ok(t, "interrupted send")

	r := start(t, ringway(t, "recv", path))
	rest := ringway(t, "send", path, "--shutdown-at-eof")
	rest.Stdin = f // the same open file, where the first one left it
	finish(t, start(t, rest)).ok(t, "second send")
	if a := finish(t, r).ok(t, "recv"); a.stdout != input.String() {
		t.Errorf("%d bytes came out of %d, or not the same", len(a.stdout), input.Len())
	}

	path = newRing(t, "--cap", "4KiB")
	send = ringway(t, "send", path)
	send.Stdin = bytes.NewReader(input.Bytes())
	s = start(t, send)
	full(t, path)
	signalTo(t, s, syscall.SIGINT)
	finish(t, s).want(t, "from a pipe", 0, `^ringway send: stopped with \d+ bytes read and not sent\n$`)
}

func TestInterruptedWhileIdle(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, mode := range []string{"--lines", "--frames", "--raw"} {
			path := newRing(t)
			send := ringway(t, "send", path, mode)
			stdinPipe(t, send)
			s, r := start(t, send), start(t, ringway(t, "recv", path, mode))
			eventually(t, "both sit", func() bool {
				out := call(t, "", "stat", path).stdout
				return strings.Contains(out, "producer") && strings.Contains(out, "consumer")
			})
			signalTo(t, s, sig)
			signalTo(t, r, sig)
			finish(t, s).ok(t, "send "+mode)
			finish(t, r).ok(t, "recv "+mode)
			call(t, "", "stat", path).ok(t, "stat").matches(t, "seats after a signal", "seats +none taken")
		}
		none := filepath.Join(t.TempDir(), "none")
		s, r := start(t, ringway(t, "send", none, "--wait")), start(t, ringway(t, "recv", none, "--wait"))
		waiting(t, s, r)
		signalTo(t, s, sig)
		signalTo(t, r, sig)
		finish(t, s).ok(t, "send --wait")
		finish(t, r).ok(t, "recv --wait")
	}
}

// waiting waits until processes handle signals: then they have made the pipe that tells
// of them, both ends of it.
func waiting(t testing.TB, all ...*process) {
	t.Helper()
	for _, p := range all {
		eventually(t, "the process handles signals", func() bool {
			fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Process.Pid))
			ends := map[string]int{}
			for _, fd := range fds {
				if to, _ := os.Readlink(fd); strings.HasPrefix(to, "pipe:") {
					ends[to]++
				}
			}
			for _, n := range ends {
				if n == 2 {
					return true
				}
			}
			return false
		})
	}
}

// Receivers that are interrupted in the middle of a stream lose nothing and repeat
// nothing; ones that are killed may repeat what they had in hand.
func TestInterruptedRecvResumes(t *testing.T) {
	var input bytes.Buffer
	for n := range 300_000 {
		fmt.Fprintf(&input, "line %d\n", n)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		path := newRing(t, "--cap", "16KiB")
		send := ringway(t, "send", path, "--shutdown-at-eof")
		send.Stdin = bytes.NewReader(input.Bytes())
		s := start(t, send)
		var got []byte
		for range 5 {
			recv := ringway(t, "recv", path)
			out := stdoutPipe(t, recv)
			r := start(t, recv)
			closeOurs(t, recv.Stdout)
			part := make([]byte, 100_000)
			if _, err := io.ReadFull(out, part); err != nil {
				t.Fatal(err)
			}
			signalTo(t, r, sig)
			rest, err := io.ReadAll(out)
			if err != nil {
				t.Fatal(err)
			}
			if a := finish(t, r); sig != syscall.SIGKILL {
				a.ok(t, "interrupted recv")
			}
			got = join(t, got, append(part, rest...), sig == syscall.SIGKILL)
		}
		got = join(t, got, []byte(call(t, "", "recv", path).ok(t, "last recv").stdout), sig == syscall.SIGKILL)
		finish(t, s).ok(t, "send")
		if !bytes.Equal(got, input.Bytes()) {
			t.Errorf("%v: %d bytes came out of %d, or not the same", sig, len(got), input.Len())
		}
	}
}

// join appends part to got. After a kill the line in hand may be cut off, and
// lines from before the kill may come once more.
func join(t testing.TB, got, part []byte, killed bool) []byte {
	if !killed || len(got) == 0 {
		return append(got, part...)
	}
	got = got[:bytes.LastIndexByte(got, '\n')+1]
	first, _, _ := bytes.Cut(part, []byte{'\n'})
	if again := bytes.LastIndex(got, append([]byte{'\n'}, append(first, '\n')...)); again >= 0 {
		if len(got)-again > batchBytes+100 {
			t.Errorf("%d bytes come again, at most one batch may", len(got)-again)
		}
		got = got[:again+1]
	}
	return append(got, part...)
}

// A reader that takes nothing does not keep recv from ending, and loses nothing by it.
func TestInterruptedRecvWithStuckReader(t *testing.T) {
	input := randomBytes(t, 3_000_000)
	path := newRing(t, "--cap", "4MiB")
	send := ringway(t, "send", path, "--raw", "--shutdown-at-eof")
	send.Stdin = bytes.NewReader(input)
	finish(t, start(t, send)).ok(t, "send")
	recv := ringway(t, "recv", path, "--raw")
	out := stdoutPipe(t, recv)
	r := start(t, recv)
	closeOurs(t, recv.Stdout)
	eventually(t, "the pipe is full", func() bool { return blockedInWrite(r.Process.Pid) })
	signalTo(t, r, syscall.SIGTERM)
	signalTo(t, r, syscall.SIGTERM) // or wait for the grace to run out
	finish(t, r).want(t, "recv", exitFailed, "standard output takes nothing; .* come again")
	first, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	rest := []byte(call(t, "", "recv", path, "--raw").ok(t, "second recv").stdout)
	twice := len(first) + len(rest) - len(input)
	if twice < 0 || twice > batchBytes || !bytes.Equal(append(first[:len(first)-twice], rest...), input) {
		t.Errorf("%d and %d bytes came out of %d, or not the same", len(first), len(rest), len(input))
	}
}

// blockedInWrite reports whether a thread of a process sleeps in a write to standard output.
func blockedInWrite(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for _, call := range []int{syscall.SYS_WRITE, syscall.SYS_WRITEV} {
			if strings.HasPrefix(string(text), fmt.Sprintf("%d 0x1 ", call)) {
				return true
			}
		}
	}
	return false
}
