package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What a killed bench left is removed; what belongs to one that runs, or to somebody else, is not.
func TestRemoveStale(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Skip("nothing to run here:", err)
	}
	dead, alive := gone.Process.Pid, os.Getpid()
	dir := t.TempDir()
	make := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := filepath.Join(dir, fmt.Sprintf("%s%d-1", pairPrefix, dead))
	if err := os.Mkdir(pair, 0o700); err != nil {
		t.Fatal(err)
	}
	make(filepath.Base(pair) + "/memory")
	stale := []string{pair, make(fmt.Sprintf("%s%d-1", lockPrefix, dead)), make(fmt.Sprintf("%s%d-0x1", peerPrefix, dead))}
	held := make(fmt.Sprintf("%s%d-2", lockPrefix, dead))
	f, err := claimed(held)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	kept := []string{held, make(fmt.Sprintf("%s%d-1", lockPrefix, alive)), make(fmt.Sprintf("ringway-other-%d-1", dead)), make(lockPrefix + "x-1")}
	removeStale(dir)
	for _, path := range stale {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for _, path := range kept {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s is gone: %v", path, err)
		}
	}
}
