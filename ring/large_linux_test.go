package ring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/layout"
	"ringway/shm"
)

// A ring of 1 GiB in 4 KiB blocks takes the room that FileSize says, from the beginning, and
// is opened in under a millisecond, because nothing on the way depends on its size.
func TestOpenLargeRing(t *testing.T) {
	needSegments(t)
	if testing.Short() {
		t.Skip("reserves 1 GiB; skipped with -short")
	}
	const block = 4096
	spec, err := MsgSpec(layout.MPMC, 1<<30/block, block-layout.CountSize)
	wantErr(t, "MsgSpec", err, nil)
	size, err := spec.FileSize()
	wantErr(t, "FileSize", err, nil)
	dir, err := os.MkdirTemp(shm.Dir, "ringway-test-")
	if err != nil {
		t.Skip("no directory in shared memory: ", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	var st unix.Statfs_t
	wantErr(t, "Statfs", unix.Statfs(dir, &st), nil)
	if free := int64(st.Bavail) * int64(st.Bsize); free < size+size/8 {
		t.Skipf("%s has %d MiB free, the ring needs %d", shm.Dir, free>>20, size>>20)
	}
	if free := freeMemory(t); free < 2*size {
		t.Skipf("%d MiB of memory may be used, the ring takes %d", free>>20, size>>20)
	}
	path := filepath.Join(dir, "r")
	began := time.Now()
	s, err := shm.Create(path, spec, 0o600)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.ENOMEM) {
		t.Skip("no room after all: ", err)
	}
	wantErr(t, "Create", err, nil)
	created := time.Since(began)
	wantErr(t, "Close", s.Close(), nil)

	info, err := os.Stat(path)
	wantErr(t, "Stat", err, nil)
	used := info.Sys().(*syscall.Stat_t).Blocks * 512
	if info.Size() != size || used > size {
		t.Errorf("st_size %d, st_blocks*512 %d, FileSize says %d", info.Size(), used, size)
	}

	const opens = 301
	var took, opening, ends []time.Duration
	for range opens {
		t0 := time.Now()
		s, err := shm.Open(path)
		wantErr(t, "Open", err, nil)
		t1 := time.Now()
		p, err := NewMsgProducer(s, nil)
		wantErr(t, "NewMsgProducer", err, nil)
		c, err := NewMsgConsumer(s, nil)
		wantErr(t, "NewMsgConsumer", err, nil)
		t2 := time.Now()
		took, opening, ends = append(took, t2.Sub(t0)), append(opening, t1.Sub(t0)), append(ends, t2.Sub(t1))
		wantErr(t, "TryPush", p.TryPush([]byte("x")), nil)
		b, err := c.TryPop(nil)
		if err != nil || string(b) != "x" {
			t.Fatalf("TryPop = %q, %v", b, err)
		}
		for _, e := range []interface{ Close() error }{p, c, s} {
			wantErr(t, "Close", e.Close(), nil)
		}
	}
	after, err := os.Stat(path)
	wantErr(t, "Stat", err, nil)
	if now := after.Sys().(*syscall.Stat_t).Blocks * 512; now != used {
		t.Errorf("it used %d bytes when it was made and uses %d now", used, now)
	}
	for _, all := range [][]time.Duration{took, opening, ends} {
		slices.Sort(all)
	}
	t.Logf("%v: made in %v; opened %d times with both ends, median %v (open %v, ends %v), p99 %v; st_size %d, st_blocks*512 %d, FileSize %d",
		spec, created.Round(time.Millisecond), opens, took[opens/2], opening[opens/2], ends[opens/2], took[opens*99/100], info.Size(), used, size)
}

// What Open and the taking of seats touch does not grow with the ring: they fault in as
// many pages of a large ring as of a small one.
func TestOpenTouchesNoMore(t *testing.T) {
	needSegments(t)
	var faults [2]int64
	for i, slots := range []int{64, 1 << 15} {
		spec, err := MsgSpec(layout.MPMC, slots, 4096-layout.CountSize)
		wantErr(t, "MsgSpec", err, nil)
		path := filepath.Join(t.TempDir(), "r")
		s, err := shm.Create(path, spec, 0o600)
		wantErr(t, "Create", err, nil)
		wantErr(t, "Close", s.Close(), nil)
		least := int64(1) << 62
		for range 20 { // the least of several: the rest of the process faults too
			before := minorFaults(t)
			s, err := shm.Open(path)
			wantErr(t, "Open", err, nil)
			p, c := mustOpen(t, func() (*MsgProducer, error) { return NewMsgProducer(s, nil) }), mustOpen(t, func() (*MsgConsumer, error) { return NewMsgConsumer(s, nil) })
			least = min(least, minorFaults(t)-before)
			for _, e := range []interface{ Close() error }{p, c, s} {
				wantErr(t, "Close", e.Close(), nil)
			}
		}
		faults[i] = least
	}
	t.Logf("page faults of an open with both ends: %d with 64 slots, %d with 32768", faults[0], faults[1])
	if faults[1] > faults[0]+8 {
		t.Errorf("an open of a ring 512 times as large touches %d pages instead of %d", faults[1], faults[0])
	}
}

// freeMemory is how much memory we may use, by the machine and by our cgroup's limit.
func freeMemory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	wantErr(t, "read /proc/meminfo", err, nil)
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	var free int64
	if _, err := fmt.Sscanf(rest, "%d kB", &free); err != nil {
		t.Fatal(err)
	}
	free <<= 10
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := os.ReadFile(file); err == nil {
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // else "max"
				free = min(free, limit)
			}
		}
	}
	return free
}

func minorFaults(t *testing.T) int64 {
	t.Helper()
	var r unix.Rusage
	wantErr(t, "Getrusage", unix.Getrusage(unix.RUSAGE_SELF, &r), nil)
	return r.Minflt
}
