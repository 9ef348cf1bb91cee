//go:build linux

package futex

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

func TestMutexErrors(t *testing.T) {
	var m Mutex
	if err := m.Unlock(); !errors.Is(err, ErrNotOwner) {
		t.Error("Unlock of a zero mutex:", err)
	}
	if err := m.Recovered(); !errors.Is(err, ErrNotOwner) {
		t.Error("Recovered on a zero mutex:", err)
	}
	check(m.TryLock())
	if err := m.TryLock(); err != ErrBusy {
		t.Error("TryLock while locked:", err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	began := time.Now()
	if err := m.LockContext(ctx); err != cause {
		t.Error("LockContext:", err)
	}
	t.Logf("a cancel after 10 ms was noticed after %v", time.Since(began))
	check(m.Recovered())
	check(m.Unlock())
	check(m.LockContext(ctx))
	check(m.Unlock())
}

func TestSemaphoreErrors(t *testing.T) {
	var s Semaphore
	for what, err := range map[string]error{
		"release": s.Release(1), "spend": s.Spend(1),
	} {
		if !errors.Is(err, ErrNotOwner) {
			t.Errorf("%s of what is not held: %v", what, err)
		}
	}
	for _, n := range []int{-1, 0, MaxPermits + 1} {
		for what, err := range map[string]error{"acquire": s.Acquire(n), "try": s.TryAcquire(n), "release": s.Release(n), "spend": s.Spend(n), "post": s.Post(n)} {
			if !errors.Is(err, ErrTooMany) {
				t.Errorf("%s %d: %v", what, n, err)
			}
		}
	}
	if err := s.TryAcquire(1); err != ErrBusy {
		t.Error("TryAcquire of none:", err)
	}
	check(s.Post(MaxPermits))
	if err := s.Post(1); !errors.Is(err, ErrTooMany) {
		t.Error("one more than fits:", err)
	}
	check(s.Acquire(3))
	check(s.Spend(1))
	if err := s.Release(3); !errors.Is(err, ErrNotOwner) || !strings.Contains(err.Error(), "holds 2") {
		t.Error("release of more than is held:", err)
	}
	check(s.Release(2))
	if n, err := s.Free(); n != MaxPermits-1 || err != nil {
		t.Error("free:", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.AcquireContext(ctx, MaxPermits); err != context.DeadlineExceeded {
		t.Error("AcquireContext:", err)
	}
	check(s.Acquire(MaxPermits - 1))
}

// Who leaves permits to the one that goes first, and is about to sleep when that one gives up, must
// not sleep: its wake was before.
func TestFirstLeavesNobodyAsleep(t *testing.T) {
	var s Semaphore
	check(s.Post(1))
	ctx, cancel := context.WithCancel(t.Context())
	_, result := lockedWait(func() error { return s.AcquireContext(ctx, 2) })
	finishes(t, "a waiter that goes first", func() {
		for s.first.Load() == 0 || s.word.Load()&semMany == 0 {
			time.Sleep(time.Millisecond)
		}
	})
	parks := s.word.Load() | semParked // of somebody who wants the free one and sees who goes first
	cancel()
	if err := receive(t, "Acquire", result); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
	if now := s.word.Load(); s.first.Load() != 0 || semWord(now).free() != 1 || uint32(now) == uint32(parks) {
		t.Errorf("the word is %#x, as before: a sleeper would not notice", now)
	}
	check(s.TryAcquire(1))
}

func TestCondErrors(t *testing.T) {
	var m Mutex
	var c Cond
	check(c.Signal())
	check(c.Broadcast())
	if err := c.Wait(&m); !errors.Is(err, ErrNotOwner) {
		t.Error("Wait without the mutex:", err)
	}
	check(m.Lock())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.WaitContext(ctx, &m); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("WaitContext:", err)
	}
	check(m.Unlock()) // it is held all the same
}

// Whatever stands in the memory of a lock, its calls come back.
func TestDamagedLocks(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	var all struct {
		m Mutex
		s Semaphore
		c Cond
	}
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&all)), unsafe.Sizeof(all))
	got := map[string]int{}
	finishes(t, "calls on damaged locks", func() {
		for range 3000 {
			fill := byte(rnd.IntN(256))
			for i := range mem {
				switch rnd.IntN(3) {
				case 0:
					mem[i] = fill
				case 1:
					mem[i] = byte(rnd.IntN(256))
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			for what, err := range map[string]error{
				"lock": all.m.LockContext(ctx), "try": all.m.TryLock(), "recovered": all.m.Recovered(), "unlock": all.m.Unlock(),
				"acquire": all.s.AcquireContext(ctx, 1+rnd.IntN(3)), "try acquire": all.s.TryAcquire(1), "post": all.s.Post(1),
				"release": all.s.Release(1), "spend": all.s.Spend(1), "signal": all.c.Signal(), "broadcast": all.c.Broadcast(),
			} {
				switch {
				case err == nil:
				case errors.Is(err, ErrCorrupt):
					got[what+" corrupt"]++
				case !strings.HasPrefix(err.Error(), "futex: ") && err != ErrBusy && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("%s: %v", what, err)
				}
			}
			cancel()
		}
	})
	t.Log(got)
	if got["lock corrupt"] == 0 || got["acquire corrupt"] == 0 {
		t.Error("damage was never noticed")
	}
}

// A search for the file of a mapping leaves alone the locks that the program has on others.
func TestSearchKeepsForeignLocks(t *testing.T) {
	path := newFile(t)
	ours, err := os.OpenFile(path, os.O_RDWR, 0)
	check(err)
	defer ours.Close()
	looks, err := os.OpenFile(path, os.O_RDWR, 0)
	check(err)
	defer looks.Close()
	check(unix.FcntlFlock(ours.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 7, Len: 1}))
	if _, err := ofMapping(mapping{begin: 1 << 12, end: 2 << 12, perms: "rw-s", file: "ff:ff 1"}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error("a file that nobody has:", err)
	}
	if held, err := lockHeld(looks, 7); !held || err != nil {
		t.Error("the program's lock on another file is gone", err)
	}
}

// Memory at the same address is not the same memory: files take turns at one, and each time the owner
// holds its lock on the file that is there now.
func TestMappingsTakeTurns(t *testing.T) {
	place, err := unix.Mmap(-1, 0, mappedSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	check(err)
	m, s := at[Mutex](place, 0), at[Semaphore](place, 8)
	dir := t.TempDir()
	var kept []string
	for i := range 50 {
		path := filepath.Join(dir, fmt.Sprint(i))
		check(os.WriteFile(path, make([]byte, mappedSize), 0o600))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		check(err)
		_, err = unix.MmapPtr(int(f.Fd()), 0, unsafe.Pointer(&place[0]), mappedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED)
		check(err)
		check(m.Lock())
		check(s.Post(1))
		check(s.Acquire(1))
		for what, id := range map[string]uint64{"mutex": mutexOwner(m.word.Load()), "semaphore": s.rows[semWord(s.word.Load()).row()].owner.Load()} {
			if held, err := lockHeld(f, lockBase+int64(id)); err != nil || !held {
				t.Fatalf("file %d: the %s's owner holds no lock on it: %v", i, what, err)
			}
		}
		check(f.Close())
		if i%10 == 0 { // stays mapped elsewhere, so we stay alive in it
			_, err := mapFile(path)
			check(err)
			kept = append(kept, path)
		}
	}
	for _, path := range kept {
		b, err := mapFile(path)
		check(err)
		if err := at[Mutex](b, 0).Unlock(); err != nil {
			t.Errorf("unlock through another mapping of the same file: %v", err)
		}
	}
	open, err := os.ReadDir("/proc/self/fd")
	check(err)
	t.Logf("50 files took turns, %d of them stay mapped; %d descriptors are open", len(kept), len(open))
	if len(open) > 35 {
		t.Errorf("%d descriptors are open: those of unmapped files stay", len(open))
	}
}

func init() {
	child.Register("idle", func(args []string) {
		b, err := mapFile(args[0])
		check(err)
		m, s, c, m2 := at[Mutex](b, 0), at[Semaphore](b, 8), at[Cond](b, 2), at[Mutex](b, 3)
		go func() { check(m.Lock()) }()
		go func() { check(s.Acquire(1)) }()
		check(m2.Lock())
		go func() { fmt.Println("waits"); check(c.Wait(m2)) }()
		select {}
	})
}

// cpuTicks is what a process has used so far, user and system, in ticks of 10 ms.
func cpuTicks(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	check(err)
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, err := strconv.Atoi(f[11])
	check(err)
	system, err := strconv.Atoi(f[12])
	check(err)
	return user + system
}

func TestIdleWaiters(t *testing.T) {
	path := newFile(t)
	b, err := mapFile(path)
	check(err)
	check(at[Mutex](b, 0).Lock())
	p := child.Start(t, "idle", path)
	p.Expect("waits")
	for end := time.Now().Add(hangLimit); at[Mutex](b, 0).word.Load()&mutexParked == 0 || at[Semaphore](b, 8).word.Load()&semParked == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the waiters do not sleep")
		}
	}
	const d = 2 * time.Second
	from := cpuTicks(p.Pid())
	time.Sleep(d) // the measurement
	used := cpuTicks(p.Pid()) - from
	t.Logf("a process that waits for a mutex, a semaphore and a condition used %d ticks of 10 ms in %v", used, d)
	if used > 20 {
		t.Errorf("idle waiters use %d %% of a CPU", used*10/20)
	}
}

// Everybody gets their turn, though the lock is never left alone.
func TestLongestWait(t *testing.T) {
	for name, lock := range map[string]func() (lock, unlock func() error){
		"mutex": func() (func() error, func() error) { m := new(Mutex); return m.Lock, m.Unlock },
		"semaphore": func() (func() error, func() error) {
			s := new(Semaphore)
			check(s.Post(1))
			return func() error { return s.Acquire(1) }, func() error { return s.Release(1) }
		},
	} {
		lock, unlock := lock()
		var stop atomic.Bool
		var wg sync.WaitGroup
		var longest [6]time.Duration
		var turns [6]int
		for i := range longest {
			wg.Go(func() {
				for !stop.Load() || turns[i] == 0 {
					began := time.Now()
					check(lock())
					longest[i] = max(longest[i], time.Since(began))
					turns[i]++
					for held := time.Now(); time.Since(held) < 20*time.Microsecond; {
					}
					check(unlock())
				}
			})
		}
		time.Sleep(500 * time.Millisecond) // the measurement
		stop.Store(true)
		finishes(t, name+": a waiter starves", wg.Wait)
		t.Logf("%s, 6 goroutines that hold it for 20 µs: longest waits %v, turns %v", name, longest, turns)
	}
}
