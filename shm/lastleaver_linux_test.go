package shm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"ringway/internal/child"
	"ringway/shm"
)

func init() { child.Register("passer-by", passerBy) }

// passerBy opens or makes a marked segment, looks and leaves, again and again, until its
// input ends. As long as it is there the name must lead to what it has open.
func passerBy(args []string) {
	count, err := shm.Open(args[1]) // outlives us
	if err != nil {
		panic(err)
	}
	done := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the input
		close(done)
	}()
	fmt.Println("ready")
	for ; ; count.Control().Reaped.Add(1) {
		select {
		case <-done:
			fmt.Println("left")
			return
		default:
		}
		s, err := shm.OpenOrCreateWith(args[0], spec, 0o600, &shm.Options{RemoveOnLast: true})
		if err != nil {
			panic(err)
		}
		if s.Header().Origin.PID == uint32(os.Getpid()) {
			count.Control().Orphans.Add(1)
		}
		same, err := shm.OpenReadOnly(args[0])
		if err != nil {
			panic(fmt.Errorf("attached to it, and its name is gone: %w", err))
		}
		if ringID(same) != ringID(s) {
			panic("attached to it, and its name leads to another")
		}
		if err := same.Close(); err != nil {
			panic(err)
		}
		if err := s.Close(); err != nil {
			panic(err)
		}
	}
}

// However many leave and come at the same moment, and are killed: the last removes the
// segment, nobody is left with one that lost its name, and none stays behind.
func TestRemoveOnLastRace(t *testing.T) {
	for _, kind := range []string{"file", "sysv"} {
		t.Run(kind, func(t *testing.T) {
			path := filepath.Join(ramDir(t), "r")
			if kind == "sysv" {
				path = shm.SysVName(sysvKey(t))
			}
			count := create(t, filepath.Join(ramDir(t), "count"), spec)
			var procs [4]*child.Proc
			start := func(i int) {
				procs[i] = child.Start(t, "passer-by", path, count.Path())
				procs[i].Expect("ready")
			}
			for i := range procs {
				start(i)
			}
			kills := rounds(30, 1000)
			for range kills {
				time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // some time of their lives
				i := rand.IntN(len(procs))
				kill(t, procs[i])
				start(i)
			}
			for _, p := range procs {
				checkErr(t, p.CloseStdin())
				p.Expect("left")
				checkErr(t, p.Wait())
			}
			if s, err := shm.Open(path); err == nil {
				t.Error("it outlived its users")
				checkErr(t, s.Close())
			}
			stays, made := count.Control().Reaped.Load(), count.Control().Orphans.Load()
			if made == 0 || stays <= made {
				t.Errorf("%d stays, %d of them in a new one", stays, made)
			}
			t.Logf("%d kills, %d stays, %d of them in a segment that had to be made", kills, stays, made)
		})
	}
}

// Somebody marks the segment and leaves while another is leaving: whichever is the last, it
// must see the mark.
func TestMarkedWhileLeaving(t *testing.T) {
	dir := ramDir(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			path := filepath.Join(dir, fmt.Sprint(w))
			for i := range rounds(500, 50000) {
				a, err := shm.Create(path, spec, 0o600)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := shm.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				left := make(chan error)
				go func() { left <- a.Close() }()
				for range i % 64 {
					runtime.Gosched() // so that the two meet everywhere
				}
				err = errors.Join(b.RemoveOnLast(), b.Close(), <-left)
				if _, e := os.Lstat(path); err != nil || !errors.Is(e, fs.ErrNotExist) {
					t.Errorf("round %d: both have left, the second marked it; leaving: %v; the name: %v", i, err, e)
					return
				}
			}
		})
	}
	wg.Wait()
}
