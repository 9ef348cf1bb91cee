package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/futex"
	proc "ringway/internal/child"
	"ringway/shm"
)

// lockBed is what the workers of one sample share, as in native/locks.c.
type lockBed struct {
	ready, go_ atomic.Uint32
	_          [120]byte
	stop       atomic.Uint32
	_          [124]byte
	counter    uint64
	_          [120]byte
	worker     [8]struct {
		ops, longest uint64
		_            [112]byte
	}
	_     [4096 - 128*11]byte
	mutex futex.Mutex // where C has its own
	_     [96]byte
	sem   futex.Semaphore
}

func mapLockBed(path string) (*lockBed, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(lockBed{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	return (*lockBed)(unsafe.Pointer(&b[0])), nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func init() {
	// lock worker: mutex|sem FILE INDEX plain|timed, the loop of native/locks.c.
	proc.Register("lock worker", func(args []string) {
		s, err := mapLockBed(args[1])
		must(err)
		index, err := strconv.Atoi(args[2])
		must(err)
		lock, unlock := s.mutex.Lock, s.mutex.Unlock
		sem, timed := args[0] == "sem", args[3] == "timed"
		s.ready.Add(1)
		for s.go_.Load() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		n, longest := uint64(0), time.Duration(0)
		switch {
		case timed:
			if sem {
				lock = func() error { return s.sem.Acquire(1) }
				unlock = func() error { return s.sem.Release(1) }
			}
			for ; s.stop.Load() == 0; n++ {
				began := time.Now()
				must(lock())
				longest = max(longest, time.Since(began))
				s.counter++
				must(unlock())
			}
		case sem:
			for ; s.stop.Load() == 0; n++ {
				must(s.sem.Acquire(1))
				s.counter++
				must(s.sem.Release(1))
			}
		default:
			for ; s.stop.Load() == 0; n++ {
				must(s.mutex.Lock())
				s.counter++
				must(s.mutex.Unlock())
			}
		}
		s.worker[index].ops, s.worker[index].longest = n, uint64(longest)
	})
}

// lockSample lets procs workers fight for a lock and returns ns per operation over all of them, the
// longest wait, and the share of the least served.
type lockSample struct {
	ns, longest, least float64
}

func sampleLock(peer, what, mode string, procs int, d time.Duration) (r lockSample, err error) {
	f, err := os.CreateTemp(shm.Dir, fmt.Sprintf("%s%d-", lockPrefix, os.Getpid()))
	if err != nil {
		return r, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		return r, err
	}
	if err := f.Truncate(int64(unsafe.Sizeof(lockBed{}))); err != nil {
		return r, err
	}
	s, err := mapLockBed(f.Name())
	if err != nil {
		return r, err
	}
	defer func() { _ = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))) }()
	if peer == "" {
		if err := s.sem.Post(1); err != nil {
			return r, err
		}
	} else if err := exec.Command(peer, "init", f.Name()).Run(); err != nil {
		return r, err
	}
	var workers []*exec.Cmd
	for i := range procs {
		c := proc.Command("lock worker", what, f.Name(), fmt.Sprint(i), mode)
		if peer != "" {
			c = exec.Command(peer, what, f.Name(), fmt.Sprint(i), mode)
		}
		c.Stderr = os.Stderr
		if err := proc.Launch(c); err != nil {
			return r, err
		}
		workers = append(workers, c)
	}
	for end := time.Now().Add(10 * time.Second); s.ready.Load() < uint32(procs); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return r, errors.New("the workers do not start")
		}
	}
	began := time.Now()
	s.go_.Store(1)
	time.Sleep(d)
	s.stop.Store(1)
	took := time.Since(began)
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			return r, err
		}
	}
	total, least := uint64(0), ^uint64(0)
	for _, w := range s.worker[:procs] {
		total += w.ops
		least = min(least, w.ops)
		r.longest = max(r.longest, float64(w.longest))
	}
	if total != s.counter {
		return r, fmt.Errorf("%d operations under the lock counted %d: two were inside at once", total, s.counter)
	}
	r.ns, r.least = float64(took)/float64(total), float64(least)*float64(procs)/float64(total)
	return r, nil
}

// buildLockPeer compiles native/locks.c.
func buildLockPeer(b *testing.B) string {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		b.Log("no gcc, so no POSIX locks beside: install gcc")
		return ""
	}
	src, err := nativeSource.ReadFile("native/locks.c")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	path := filepath.Join(dir, "locks")
	if err := os.WriteFile(path+".c", src, 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-O2", "-march=native", "-Wall", "-Wextra", "-pthread", "-o", path, path+".c").CombinedOutput(); err != nil {
		b.Fatalf("gcc: %v\n%s", err, out)
	}
	return path
}

// BenchmarkLocks measures futex.Mutex and futex.Semaphore beside POSIX's process-shared ones: 1, 2 and 4 processes
// that lock, count and unlock, each sample of one beside one of the other. An iteration is one pair of samples. x is
// POSIX's time as a multiple of ours, so above 1 means that Ringway is faster.
func BenchmarkLocks(b *testing.B) {
	removeStale(shm.Dir)
	peer := buildLockPeer(b)
	b.Log(Machine())
	for _, what := range []string{"mutex", "sem"} {
		for _, procs := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("%s/%dproc", what, procs), func(b *testing.B) {
				var ours, theirs []lockSample
				for b.Loop() {
					for _, p := range []string{"", peer} {
						if p == "" && len(ours) > len(theirs) {
							break // no peer
						}
						s, err := sampleLock(p, what, "plain", procs, 100*time.Millisecond)
						if err != nil {
							b.Fatal(err)
						}
						if p == "" {
							ours = append(ours, s)
						} else {
							theirs = append(theirs, s)
						}
					}
				}
				b.ReportMetric(0, "ns/op") // an iteration's duration says nothing
				mine := median(ours, func(s lockSample) float64 { return s.ns })
				b.ReportMetric(mine, "ns/lock")
				if len(theirs) == 0 {
					return
				}
				posix := median(theirs, func(s lockSample) float64 { return s.ns })
				b.ReportMetric(posix/mine, "x")
				for _, mode := range []struct {
					name, peer string
				}{{"ringway", ""}, {"posix", peer}} {
					if procs == 1 {
						break
					}
					w, err := sampleLock(mode.peer, what, "timed", procs, 300*time.Millisecond)
					if err != nil {
						b.Fatal(err)
					}
					b.Logf("%s: longest wait %.1f ms, the least served process got %.0f %% of its share", mode.name, w.longest/1e6, 100*w.least)
				}
				b.Logf("ringway %.1f ns, posix %.1f ns, %d samples: x %.2f", mine, posix, len(ours), posix/mine)
			})
		}
	}
}

func median[T any](all []T, of func(T) float64) float64 {
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = of(s)
	}
	sort.Float64s(v)
	return v[len(v)/2]
}
