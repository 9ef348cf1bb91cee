package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Closed output is an error that says so; what was not written stays in the ring.
func TestClosedOutput(t *testing.T) {
	var input bytes.Buffer
	for n := range 300_000 {
		fmt.Fprintf(&input, "line %d\n", n)
	}
	for _, mode := range []string{"--lines", "--raw"} {
		path := newRing(t, "--cap", "16MiB")
		send := ringway(t, "send", path, mode, "--shutdown-at-eof")
		send.Stdin = bytes.NewReader(input.Bytes())
		finish(t, start(t, send)).ok(t, "send")
		recv := ringway(t, "recv", path, mode)
		out := stdoutPipe(t, recv)
		r := start(t, recv)
		closeOurs(t, recv.Stdout)
		first := make([]byte, 1000)
		if _, err := io.ReadFull(out, first); err != nil {
			t.Fatal(err)
		}
		closeOurs(t, out)
		finish(t, r).want(t, "recv "+mode, exitFailed, "^ringway recv: write to standard output: broken pipe\n$")
		rest := []byte(call(t, "", "recv", path, mode).ok(t, "second recv").stdout)
		if !bytes.HasSuffix(input.Bytes(), rest) {
			t.Errorf("%s: the rest is no part of the input", mode)
		}
		// Lost would be: more than a pipe, and what was read, is missing in front of the rest.
		if written := input.Len() - len(rest); written > 1000+widePipe {
			t.Errorf("%s: %d bytes were released, at most %d were taken", mode, written, 1000+widePipe)
		}
	}
	path := newRing(t)
	for _, args := range [][]string{{"stat", path}, {"ls", filepath.Dir(path)}, {"check", path, "--json"}, {"stat", path, "--watch", "10ms"}, {"help"}} {
		cmd := ringway(t, args...)
		out := stdoutPipe(t, cmd)
		closeOurs(t, out)
		p := start(t, cmd)
		closeOurs(t, cmd.Stdout)
		if args[0] == "help" {
			finish(t, p) // cobra prints help and does not look
			continue
		}
		finish(t, p).want(t, args[0], exitFailed, "write to standard output: broken pipe")
	}
}

// Somebody who shares our standard output may make it non-blocking while we write.
func TestOutputTurnsNonBlocking(t *testing.T) {
	input := bytes.Repeat([]byte("0123456789abcde\n"), 200_000)
	for _, mode := range []string{"--lines", "--raw"} {
		path := newRing(t, "--cap", "64KiB")
		recv := ringway(t, "recv", path, mode)
		out := stdoutPipe(t, recv)
		receiving := start(t, recv)
		send := ringway(t, "send", path, mode, "--shutdown-at-eof")
		in := stdinPipe(t, send)
		sending := start(t, send)
		closeOurs(t, send.Stdin)
		got := make([]byte, 16, len(input))
		if _, err := in.Write(input[:16]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, got); err != nil {
			t.Fatal(err)
		}
		if err := syscall.SetNonblock(int(recv.Stdout.(*os.File).Fd()), true); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer in.Close()
			_, _ = in.Write(input[16:]) // if it fails, too little comes out
		}()
		fill, looks := 0, 0
		eventually(t, "recv finds its output full", func() bool {
			now := pending(int(out.Fd()))
			if looks++; now != fill || now < 16<<10 {
				fill, looks = now, 0
			}
			return looks == 20
		})
		closeOurs(t, recv.Stdout)
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		finish(t, sending).ok(t, "send")
		finish(t, receiving).ok(t, "recv")
		if got = append(got, rest...); !bytes.Equal(got, input) {
			t.Errorf("%s: %d bytes came out of %d, or not the same", mode, len(got), len(input))
		}
	}
}

func TestWatch(t *testing.T) {
	path := newRing(t, "--cap", "64KiB")
	cmd := ringway(t, "stat", path, "--watch", "20ms", "--json")
	out := stdoutPipe(t, cmd)
	p := start(t, cmd)
	closeOurs(t, cmd.Stdout)
	if err := out.SetReadDeadline(time.Now().Add(hangLimit)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	look := func() statFacts {
		if !lines.Scan() {
			t.Fatalf("stat --watch ends: %v", lines.Err())
		}
		return decode[statFacts](t, lines.Text())[0]
	}
	if f := look(); f.In != nil || f.Tail != 0 {
		t.Fatalf("the first look: %+v", f)
	}
	call(t, strings.Repeat("0123456789abcde\n", 1000), "send", path).ok(t, "send")
	for f := look(); *f.In == 0; f = look() { // the look that sees the change has a rate
		if f.Tail != 0 {
			t.Fatalf("tail moved without a rate: %+v", f)
		}
	}
	signalTo(t, p, syscall.SIGINT)
	finish(t, p).ok(t, "stat --watch")

	human := start(t, ringway(t, "stat", path, "--watch", "10ms"))
	call(t, "", "rm", path).ok(t, "rm")
	a := finish(t, human).want(t, "stat --watch of a removed ring", exitFailed, "there is no such ring")
	if strings.Contains(a.stdout, "\x1b") {
		t.Errorf("repainting what is no terminal: %q", a.stdout)
	}
}
