package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ringway/shm"
)

// A demo that is killed takes its children with it; its ring goes with the next demo.
func TestDemoAfterKill(t *testing.T) {
	cmd, _, _, pids := startedDemo(t)
	path := shm.Path(demoRingName(cmd.Process.Pid))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	deadline := time.Now().Add(demoHang)
	for _, pid := range pids {
		for running(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d outlives its parent", pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the ring should still be there: %v", err)
	}
	// A dead process keeps its seat until the kernel has taken its last thread down.
	for removeStaleDemos(shm.Dir); ; removeStaleDemos(shm.Dir) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			os.Remove(path)
			t.Fatalf("%s is still there", path)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStaleDemosOnly(t *testing.T) {
	dir := t.TempDir()
	spec, err := (&demoOptions{slots: 16}).spec()
	if err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skipf("cannot make a pid that is free: %v", err)
	}
	gone := dead.Process.Pid
	at := func(name string) string { return filepath.Join(dir, name+shm.Ext) }
	create := func(path string) *shm.Segment {
		s, err := shm.Create(path, spec, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	stale, parent := at(demoRingName(gone)), at(demoRingName(os.Getppid()))
	create(stale)
	create(parent)
	foreign := at(demoPrefix + "x1")
	create(foreign)
	garbage := at(demoRingName(gone) + "0000000") // beyond any pid
	if err := os.WriteFile(garbage, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, demoPrefix+"0"+strconv.Itoa(gone)+shm.Ext) // the same pid, written differently
	if err := lockDemo(create(locked).File()); err != nil {
		t.Fatal(err)
	}
	seated := filepath.Join(dir, demoPrefix+"00"+strconv.Itoa(gone)+shm.Ext)
	create(seated)
	p, err := newRingSender(seated)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	removeStaleDemos(dir)
	if _, err := os.Lstat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the stale ring is still there (%v)", err)
	}
	for _, path := range []string{parent, foreign, garbage, locked, seated} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("removed, although it is no stale ring of a demo: %v", err)
		}
	}
}
