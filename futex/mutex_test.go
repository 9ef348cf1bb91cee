//go:build linux

package futex

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"ringway/internal/child"
)

func init() {
	// hold locks the first mutex of a file and takes two permits of the first semaphore, until it is killed.
	child.Register("hold", func(args []string) {
		b, err := mapFile(args[0])
		check(err)
		check(at[Mutex](b, 1).Lock())
		fmt.Println("holds")
		_, _ = os.Stdin.Read(make([]byte, 1))
	})
}

func TestMutexOwnerDead(t *testing.T) {
	path := newFile(t)
	b, err := mapFile(path)
	check(err)
	m := at[Mutex](b, 1)
	p := child.Start(t, "hold", path)
	p.Expect("holds")
	if err := m.TryLock(); err != ErrBusy {
		t.Error("TryLock while held:", err)
	}
	if err := m.Unlock(); !errors.Is(err, ErrNotOwner) {
		t.Error("Unlock by another process:", err)
	}
	locked := make(chan error)
	go func() { locked <- m.Lock() }()
	p.Kill()
	if err := <-locked; !errors.Is(err, ErrOwnerDead) {
		t.Fatal(err)
	}
	check(m.Recovered())
	check(m.Unlock())
	check(m.Lock())
	check(m.Unlock())
	if err := m.Unlock(); !errors.Is(err, ErrNotOwner) {
		t.Error("Unlock of a free mutex:", err)
	}
	p = child.Start(t, "hold", path)
	p.Expect("holds")
	p.Kill()
	if err := m.Lock(); !errors.Is(err, ErrOwnerDead) {
		t.Fatal(err)
	}
	check(m.Unlock())
	if err := m.Lock(); !errors.Is(err, ErrNotRecoverable) {
		t.Error(err)
	}
}

func TestMutexGoroutines(t *testing.T) {
	var m Mutex
	n, wg := 0, sync.WaitGroup{}
	for range 8 {
		wg.Go(func() {
			for range 20000 {
				check(m.Lock())
				n++
				check(m.Unlock())
			}
		})
	}
	wg.Wait()
	if n != 160000 {
		t.Error(n)
	}
}

func TestSemaphoreGoroutines(t *testing.T) {
	var s Semaphore
	check(s.Post(3))
	wg := sync.WaitGroup{}
	for i := range 8 {
		wg.Go(func() {
			for range 20000 {
				k := i%3 + 1
				check(s.Acquire(k))
				check(s.Release(k))
			}
		})
	}
	wg.Wait()
	if n, err := s.Free(); n != 3 || err != nil {
		t.Error(n, err)
	}
	if n, err := s.Held(); n != 0 || err != nil {
		t.Error(n, err)
	}

}

func TestMonitor(t *testing.T) {
	var (
		m              Mutex
		empty, full    Cond
		buf, got, sent int
		wg             sync.WaitGroup
	)
	for range 4 {
		wg.Go(func() {
			for range 5000 {
				check(m.Lock())
				for buf == 4 {
					check(full.Wait(&m))
				}
				buf++
				sent++
				check(m.Unlock())
				check(empty.Signal())
			}
		})
		wg.Go(func() {
			for range 5000 {
				check(m.Lock())
				for buf == 0 {
					check(empty.Wait(&m))
				}
				buf--
				got++
				check(m.Unlock())
				check(full.Signal())
			}
		})
	}
	wg.Wait()
	if got != 20000 || sent != got {
		t.Error(got, sent)
	}
}

func BenchmarkMutex(b *testing.B) {
	var m Mutex
	for range b.N {
		m.Lock()
		m.Unlock()
	}
}

func BenchmarkSemaphore(b *testing.B) {
	var s Semaphore
	s.Post(1)
	for range b.N {
		s.Acquire(1)
		s.Release(1)
	}
}
