//go:build linux

package futex

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/internal/failpoint"
)

// killBed is what those share who lock, wait and are killed.
type killBed struct {
	mutex    Mutex
	a, b     uint64       // equal but for who is inside
	inside   atomic.Int64 // the process that has the mutex
	_        [80]byte
	one      Semaphore    // of one permit
	alone    atomic.Int64 // the process that has it
	_        [120]byte
	many     Semaphore // of manyPermits
	notEmpty Cond
	notFull  Cond
	items    int64
	spoilt   atomic.Int64 // broken promises
	deaths   atomic.Int64 // ErrOwnerDead
}

const (
	manyPermits = 7
	mostItems   = 3
)

// worker does all there is to do on a bed. A process has several.
type worker struct {
	*killBed
	pid   int64
	loops *atomic.Int64
}

func (w *worker) spoil(format string, args ...any) {
	w.spoilt.Add(1)
	fmt.Fprintf(os.Stderr, "process %d: "+format+"\n", append([]any{w.pid}, args...)...)
}

// gone reports whether a process has ended, or does so within seconds: the kernel frees its locks a little
// before it calls it a zombie.
func gone(pid int64) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return true
		}
		if _, rest, ok := strings.Cut(string(text), ") "); ok && (rest[0] == 'Z' || rest[0] == 'X') {
			return true
		}
	}
	return false
}

// entered checks what err says about who was inside, and repairs.
func (w *worker) entered(err error) {
	switch was := w.inside.Load(); {
	case err == nil && (was != 0 || w.a != w.b):
		w.spoil("let in beside or after process %d, %d and %d", was, w.a, w.b)
	case errors.Is(err, ErrOwnerDead):
		w.deaths.Add(1)
		if was == w.pid || was != 0 && !gone(was) {
			w.spoil("process %d is said to be dead and lives", was)
		}
		w.b = w.a
		w.inside.Store(0)
		check(w.mutex.Recovered())
	default:
		check(err)
	}
	w.inside.Store(w.pid)
	w.a++
}

func (w *worker) leaving() {
	w.b = w.a
	w.inside.Store(0)
}

func (w *worker) count() {
	w.entered(w.mutex.Lock())
	w.leaving()
	check(w.mutex.Unlock())
	if err := w.mutex.TryLock(); err != ErrBusy {
		w.entered(err)
		w.leaving()
		check(w.mutex.Unlock())
	}
}

func (w *worker) limit(n int) {
	check(w.one.Acquire(1))
	if was := w.alone.Swap(w.pid); was != 0 && !gone(was) {
		w.spoil("shares the only permit with process %d", was)
	}
	w.alone.Store(0)
	check(w.one.Release(1))
	n = n%3 + 1
	check(w.many.Acquire(n))
	check(w.many.Release(n))
}

// pass moves an item into the monitor, or out of it.
func (w *worker) pass(by int64) {
	w.entered(w.mutex.Lock())
	for w.items+by < 0 || w.items+by > mostItems {
		w.leaving()
		c := &w.notEmpty
		if by > 0 {
			c = &w.notFull
		}
		w.entered(c.Wait(&w.mutex))
	}
	w.items += by
	w.leaving()
	check(w.mutex.Unlock())
	if by > 0 {
		check(w.notEmpty.Signal())
	} else {
		check(w.notFull.Broadcast())
	}
}

// run works until stop; passing blocks as long as it takes, so it has goroutines of its own.
func (b *killBed) run(stop *atomic.Bool) (progress []*atomic.Int64, wait func()) {
	var wg sync.WaitGroup
	for _, do := range []func(w *worker, n int){
		func(w *worker, n int) { w.count(); w.limit(n) },
		func(w *worker, n int) { w.pass(1) },
		func(w *worker, n int) { w.pass(-1) },
	} {
		w := &worker{b, int64(os.Getpid()), new(atomic.Int64)}
		progress = append(progress, w.loops)
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				do(w, n)
				w.loops.Add(1)
			}
		})
	}
	return progress, wg.Wait
}

func init() {
	child.Register("lock victim", func(args []string) {
		f, err := os.OpenFile(args[0], os.O_RDWR, 0)
		check(err)
		b, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		check(err)
		check(f.Close())
		point, err := strconv.Atoi(args[1])
		check(err)
		arm(point)
		var stop atomic.Bool
		_, _ = at[killBed](b, 0).run(&stop)
		time.Sleep(200 * time.Millisecond) // for a point that this process never comes to
		os.Exit(3)
	})
}

// Holders and waiters are killed, at every point if they are built in and at random instants if not. Nobody
// hangs, nobody gets in beside a living owner, each death is told, and all permits are there at the end.
func TestLockKills(t *testing.T) {
	want := 120
	if v := os.Getenv("RINGWAY_KILLS"); v != "" {
		n, err := strconv.Atoi(v)
		check(err)
		want = n
	}
	path := newFile(t)
	check(os.Truncate(path, 8192))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(err)
	defer f.Close()
	mem, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	check(err)
	bed := at[killBed](mem, 0)
	check(bed.one.Post(1))
	check(bed.many.Post(manyPermits))

	var stop atomic.Bool
	progress, wait := bed.run(&stop)
	var kills, spared, next atomic.Int64
	var mu sync.Mutex
	at := map[string]int{}
	done := make(chan struct{})
	var victims sync.WaitGroup
	for range 3 {
		victims.Go(func() {
			for kills.Load() < int64(want) && !t.Failed() {
				point := int(next.Add(1)) % failpoint.LockPoints
				c := child.Command("lock victim", path, fmt.Sprint(point))
				if err := child.Launch(c); err != nil {
					t.Error(err)
					return
				}
				var exit *exec.ExitError
				switch err := c.Wait(); {
				case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
					kills.Add(1)
					mu.Lock()
					at[failpoint.LockPoint(point).String()]++
					mu.Unlock()
				case errors.As(err, &exit) && exit.ExitCode() == 3:
					spared.Add(1)
				default:
					t.Error("a victim ended by itself: ", err)
				}
			}
		})
	}
	go func() { victims.Wait(); close(done) }()
	began, longest := time.Now(), watch(t, progress, done)
	stop.Store(true)
	finishes(t, "the survivor's goroutines", func() {
		// Whoever of them waits in the monitor gets an item, or room.
		ended := make(chan struct{})
		go func() { wait(); close(ended) }()
		w := &worker{bed, int64(os.Getpid()), new(atomic.Int64)}
		for {
			select {
			case <-ended:
				return
			default:
				w.entered(w.mutex.Lock())
				w.items = 1
				w.leaving()
				check(w.mutex.Unlock())
				check(w.notEmpty.Broadcast())
				check(w.notFull.Broadcast())
			}
		}
	})
	for _, s := range []struct {
		name string
		s    *Semaphore
		n    int
	}{{"one", &bed.one, 1}, {"many", &bed.many, manyPermits}} {
		if err := s.s.TryAcquire(s.n); err != nil {
			t.Errorf("semaphore %s: cannot get all %d permits: %v", s.name, s.n, err)
		} else if n, err := s.s.Free(); n != 0 || err != nil {
			t.Errorf("semaphore %s: %d permits more than there are, %v", s.name, n, err)
		}
	}
	if n := bed.spoilt.Load(); n != 0 {
		t.Errorf("%d times a promise was broken", n)
	}
	how := "at random instants"
	if failpoint.Enabled {
		how = fmt.Sprintf("at %d of %d points", len(at), failpoint.LockPoints)
		for _, p := range slices.Sorted(maps.Keys(at)) {
			t.Logf("%s: %d", p, at[p])
		}
	}
	t.Logf("%d kills %s in %v (%d victims never came to their point): 0 hangs, %d double owners, %d deaths told, all permits there; the survivor stood still for %v at most",
		kills.Load(), how, time.Since(began).Round(time.Millisecond), spared.Load(), bed.spoilt.Load(), bed.deaths.Load(), longest.Round(time.Millisecond))
}

// watch fails the test if one of progress stands still, and returns the longest pause.
func watch(t *testing.T, progress []*atomic.Int64, done <-chan struct{}) (longest time.Duration) {
	last, since := make([]int64, len(progress)), make([]time.Time, len(progress))
	for i := range since {
		since[i] = time.Now()
	}
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			return longest
		case <-tick.C:
		}
		for i, p := range progress {
			if n := p.Load(); n != last[i] {
				last[i], since[i] = n, time.Now()
			}
			pause := time.Since(since[i])
			longest = max(longest, pause)
			if pause > hangLimit {
				t.Errorf("hang: goroutine %d of the survivor stands still for %v", i, pause)
				return longest
			}
		}
	}
}
