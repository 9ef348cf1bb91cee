package telemetry

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringway/layout"
)

func open(t *testing.T) *Sampler {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("telemetry comes from /proc, which only Linux has")
	}
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSampleCanBeShared(t *testing.T) {
	e, err := layout.ElemOf[Sample]()
	if err != nil {
		t.Fatal(err)
	}
	if e.Size != Size {
		t.Fatalf("a Sample has %d bytes, want %d", e.Size, Size)
	}
}

// The machine's own counters, read a second way, must lie between two samples.
func TestCountersAreThisMachines(t *testing.T) {
	s := open(t)
	first, err := s.Take(1)
	if err != nil {
		t.Fatal(err)
	}
	before := *first
	ctxt := statValue(t, "ctxt")
	forks := statValue(t, "processes")
	if err := s.Refresh(); err != nil {
		t.Fatal(err)
	}
	after, err := s.Take(2)
	if err != nil {
		t.Fatal(err)
	}
	if ctxt < before.ContextSwitches || ctxt > after.ContextSwitches {
		t.Errorf("context switches: %d, then %d read plainly, then %d", before.ContextSwitches, ctxt, after.ContextSwitches)
	}
	if forks < before.Forks || forks > after.Forks {
		t.Errorf("forks: %d, then %d read plainly, then %d", before.Forks, forks, after.Forks)
	}
	if after.User+after.System == 0 || after.MemFree == 0 || after.MemAvailable == 0 || after.Tasks == 0 ||
		after.PageFaults == 0 || after.SelfPages == 0 || after.Running == 0 {
		t.Errorf("a counter that cannot be 0 here is: %+v", *after)
	}
	if after.Captured <= before.Captured || after.Captured > Now() {
		t.Errorf("captured at %d, then at %d", before.Captured, after.Captured)
	}
}

func statValue(t *testing.T, key string) uint64 {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) > 1 && f[0] == key {
			v, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s in /proc/stat", key)
	return 0
}

func TestNothingIsAllocated(t *testing.T) {
	s := open(t)
	n := testing.AllocsPerRun(100, func() {
		if err := s.Refresh(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Take(0); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations per sample", n)
	}
}

func TestPaceKeepsTimeAndRefreshes(t *testing.T) {
	s := open(t)
	reads := s.Reads()
	for n := 0; s.Reads() == reads; n++ { // a wait that a busy machine stretches leaves no time to read
		if n == 1000 {
			t.Fatal("1000 waits of 5 ms, and nothing was re-read")
		}
		due := Now() + uint64(5*time.Millisecond)
		if err := s.Pace(due); err != nil {
			t.Fatal(err)
		}
		if now := Now(); now < due {
			t.Fatalf("returned %d ns early", due-now)
		}
	}
	reads = s.Reads()
	if err := s.Pace(Now() - 1); err != nil {
		t.Fatal(err)
	}
	if s.Reads() != reads {
		t.Error("late, and yet it stopped to read")
	}
}

// Flat out, a source is re-read when it is stale, and the ages say so.
func TestFlatOutStaysFresh(t *testing.T) {
	s := open(t)
	reads := s.Reads()
	stop := Now() + 4*stale
	for seq := uint64(0); Now() < stop; seq++ {
		x, err := s.Take(seq)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.sources {
			if want := age(s.sources[i].readAt, x.Captured); x.Age[i] != want {
				t.Fatalf("sample %d: source %d is %d µs old, it says %d", seq, i, want, x.Age[i])
			}
		}
	}
	if n := s.Reads() - reads; n < uint64(Sources) {
		t.Errorf("%d readings in %v", n, time.Duration(4*stale))
	}
	if s.Oldest() < time.Duration(stale) {
		t.Errorf("nothing got stale, and yet sources were re-read: oldest %v", s.Oldest())
	}
}

func TestMissingSourceIsNeverFresh(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenAt(dir); err == nil || !strings.Contains(err.Error(), "stat") {
		t.Fatalf("without /proc/stat: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte("cpu  1 2 3 4\nctxt 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenAt(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x, err := s.Take(0)
	if err != nil {
		t.Fatal(err)
	}
	if x.Nice != 2 || x.ContextSwitches != 9 || x.Age[Stat] == Never {
		t.Errorf("what is there was not read: %+v", *x)
	}
	for i := MemInfo; i < Sources; i++ {
		if x.Age[i] != Never {
			t.Errorf("source %d is missing and its age is %d", i, x.Age[i])
		}
	}
}

// A source in several pieces, as /proc/net/dev with many interfaces, is read whole.
func TestLongSourceIsReadWhole(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "net"), 0o700); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	const n = 200
	for i := range n {
		b.WriteString("  eth" + strconv.Itoa(i) + ": 10 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n")
	}
	os.WriteFile(filepath.Join(dir, "stat"), []byte("ctxt 1\n"), 0o600)
	os.WriteFile(filepath.Join(dir, "net/dev"), []byte(b.String()), 0o600)
	s, err := OpenAt(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x, err := s.Take(0)
	if err != nil {
		t.Fatal(err)
	}
	if x.RxBytes != 10*n || x.RxPackets != n || x.TxBytes != 20*n || x.TxPackets != 2*n {
		t.Errorf("%d interfaces add up to rx %d/%d tx %d/%d", n, x.RxBytes, x.RxPackets, x.TxBytes, x.TxPackets)
	}
}
