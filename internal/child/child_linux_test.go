package child

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func stateOf(t *testing.T, pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "gone"
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	if !ok {
		t.Fatalf("cannot read %q", stat)
	}
	return rest[:1]
}

func TestStopContKill(t *testing.T) {
	p := Start(t, "block")
	p.Expect("ready")
	for range 20 {
		if err := p.Stop(); err != nil {
			t.Fatal("Stop:", err)
		}
		if err := p.Stop(); err != nil {
			t.Fatal("Stop of a stopped child:", err)
		}
		if s := stateOf(t, p.Pid()); s != "T" {
			t.Fatalf("after Stop the state is %s, want T", s)
		}
		if err := p.Cont(); err != nil {
			t.Fatal("Cont:", err)
		}
		if s := stateOf(t, p.Pid()); s == "T" {
			t.Fatal("after Cont the child is still stopped")
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal("Stop:", err)
	}
	p.Kill()
	if s := stateOf(t, p.Pid()); s != "gone" {
		t.Errorf("after Kill the state is %s, want gone", s)
	}
	if err := p.Stop(); err == nil {
		t.Error("Stop of a reaped child = nil, want an error")
	}
}

// A child must not survive its parent, not even when it is stopped and cannot
// notice. We adopt the grandchild, so that we can see it end.
func TestOrphanDies(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip("cannot adopt grandchildren:", err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p := Start(t, "parent")
	var pid int
	for range 2 { // "ready" and the pid, in either order
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(line); err == nil {
			pid = n
		}
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	var status syscall.WaitStatus
	for end := time.Now().Add(HangLimit); ; {
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if err != nil && err != syscall.EINTR {
			t.Fatal("wait for the orphan:", err)
		}
		if got == pid {
			break
		}
		if time.Now().After(end) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("the orphan is still there, state %s", stateOf(t, pid))
		}
		time.Sleep(time.Millisecond)
	}
	if status.Signal() != syscall.SIGKILL {
		t.Errorf("the orphan ended with %v, want SIGKILL", status)
	}
}

func TestPin(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	for cpu := range 1024 {
		if !allowed.IsSet(cpu) {
			continue
		}
		var got unix.CPUSet
		done := make(chan error)
		go func() { // its thread ends with it
			err := Pin(cpu)
			if err == nil {
				err = unix.SchedGetaffinity(0, &got)
			}
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got.Count() != 1 || !got.IsSet(cpu) {
			t.Errorf("Pin(%d): allowed on %d CPUs", cpu, got.Count())
		}
	}
}
