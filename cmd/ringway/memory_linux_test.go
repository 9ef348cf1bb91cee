package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lockedBytes is what a process has locked in memory, as the kernel says.
func lockedBytes(t *testing.T, pid string) string {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(l, "VmLck:"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Skip("this kernel does not say what is locked")
	return ""
}

// The flags that say how a ring's memory is treated reach it.
func TestMemoryFlags(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.ring")
	a := call(t, "", "create", path, "--cap", "16KiB", "--prefault", "--huge-pages")
	a.want(t, "create", 0, "^ringway create: no huge pages: the ring is smaller than one, .*\n$")
	if !strings.Contains(a.stdout, "16384 bytes") {
		t.Errorf("create says %q", a.stdout)
	}
	call(t, "one\ntwo\n", "send", path, "--prefault", "--lock").ok(t, "send")
	cmd := ringway(t, "recv", path, "--lock", "--prefault")
	out := stdoutPipe(t, cmd)
	p := start(t, cmd)
	closeOurs(t, cmd.Stdout)
	b := make([]byte, 8)
	if n, err := out.Read(b); err != nil || string(b[:n]) != "one\ntwo\n" {
		t.Errorf("received %q, %v", b[:n], err)
	}
	if got := lockedBytes(t, fmt.Sprint(p.Process.Pid)); got != "32 kB" {
		t.Errorf("recv --lock has %s locked, want the ring's 32 kB", got)
	}
	if err := p.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	finish(t, p).ok(t, "recv")

	made := path + "2"
	call(t, "x\n", "send", made, "--create", "--cap", "16KiB", "--huge-pages").ok(t, "send --create --huge-pages")
	call(t, "", "send", path, "--huge-pages").want(t, "--huge-pages of a ring that exists", exitUsage, "needs --create")
}
