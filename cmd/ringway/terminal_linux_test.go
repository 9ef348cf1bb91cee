package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal returns both sides of a pseudo terminal: what a process writes to slave is
// read from master.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that reads can have a deadline
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	if err := master.SetReadDeadline(time.Now().Add(hangLimit)); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// sees reads from a terminal until pattern shows up.
func sees(t *testing.T, master io.Reader, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	var seen []byte
	for b := make([]byte, 4096); !want.Match(seen); {
		n, err := master.Read(b)
		seen = append(seen, b[:n]...)
		if err != nil {
			t.Fatalf("%v; the terminal shows %q, not %q", err, seen, pattern)
		}
	}
}

// Long work shows progress on a terminal, and at the end what was moved.
func TestProgress(t *testing.T) {
	path := newRing(t)
	master, slave := terminal(t)
	recv := ringway(t, "recv", path, "--raw")
	devNull(t, recv)
	recv.Stderr = slave
	if err := recv.Start(); err != nil {
		t.Fatal(err)
	}
	send := ringway(t, "send", path, "--raw", "--shutdown-at-eof")
	in := stdinPipe(t, send)
	s := start(t, send)
	closeOurs(t, send.Stdin)
	if _, err := in.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	sees(t, master, `\r\x1b\[K1\.0 MiB, \d.*/s, \d+s`)
	closeOurs(t, in)
	finish(t, s).ok(t, "send") // no terminal there, so not a word
	sees(t, master, `\r\x1b\[K\d+ messages, 1048576 bytes received\r\n`)
	if err := recv.Wait(); err != nil {
		t.Error(err)
	}
}

// On a terminal --watch paints over what it showed before.
func TestWatchRepaints(t *testing.T) {
	path := newRing(t)
	master, slave := terminal(t)
	stat := ringway(t, "stat", path, "--watch", "10ms")
	stat.Stdout = slave
	p := start(t, stat)
	sees(t, master, `(?s)\x1b\[H\x1b\[Jring .*\x1b\[H\x1b\[Jring .*rate +0 B/s in, 0 B/s out`)
	signalTo(t, p, os.Interrupt)
	finish(t, p).ok(t, "stat --watch")
}
