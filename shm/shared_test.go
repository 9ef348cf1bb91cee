//go:build linux

package shm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/futex"
	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

// ledger is a monitor: what its mutex guards is right when both sums agree.
type ledger struct {
	Mutex    futex.Mutex
	Moved    futex.Cond
	Slots    futex.Semaphore
	From, To int64
}

// move is the critical section; half of it is done at half.
func (l *ledger) move(half func()) {
	l.From++
	half()
	l.To++
}

func init() {
	child.Register("ledger-mover", ledgerMover)
	child.Register("ledger-dies", ledgerDies)
}

func openLedger(path string) *ledger {
	s, err := shm.OpenShared[ledger](path, nil)
	if err != nil {
		panic(err)
	}
	return s.Value()
}

// ledgerMover moves until both sums are what its argument says.
func ledgerMover(args []string) {
	l := openLedger(args[0])
	var n int64
	if _, err := fmt.Sscan(args[1], &n); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for range n {
		if err := l.Mutex.Lock(); err != nil {
			panic(err)
		}
		l.move(func() {})
		if err := errors.Join(l.Moved.Broadcast(), l.Mutex.Unlock()); err != nil {
			panic(err)
		}
	}
}

// ledgerDies waits in the middle of a move, and with a permit, to be killed.
func ledgerDies(args []string) {
	l := openLedger(args[0])
	if err := errors.Join(l.Slots.Acquire(1), l.Mutex.Lock()); err != nil {
		panic(err)
	}
	l.move(func() {
		fmt.Println("half")
		_, _ = os.Stdin.Read(make([]byte, 1)) // nothing ever comes
	})
}

func createShared[T any](t *testing.T, o *shm.Options) *shm.Shared[T] {
	t.Helper()
	s, err := shm.CreateShared[T](filepath.Join(ramDir(t), "s"), 0o600, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkErr(t, s.Close()) })
	return s
}

// Processes lock a mutex in a struct of their own; nothing is lost, and who waits on a Cond is woken.
func TestShared(t *testing.T) {
	s := createShared[ledger](t, nil)
	l := s.Value()
	const n, procs = 5000, 3
	var all []*child.Proc
	for range procs {
		all = append(all, child.Start(t, "ledger-mover", s.Segment().Path(), fmt.Sprint(n)))
	}
	for _, p := range all {
		p.Expect("ready")
	}
	checkErr(t, l.Mutex.Lock())
	for l.To < n*procs {
		checkErr(t, l.Moved.Wait(&l.Mutex))
	}
	if l.From != n*procs || l.To != n*procs {
		t.Errorf("moved %d and %d, want %d", l.From, l.To, n*procs)
	}
	checkErr(t, l.Mutex.Unlock())
	for _, p := range all {
		checkErr(t, p.Wait())
	}
}

// Whoever is killed inside leaves the mutex to the next one, who hears of it, and gives its permit back.
func TestSharedKill(t *testing.T) {
	s := createShared[ledger](t, nil)
	l := s.Value()
	checkErr(t, l.Slots.Post(1))
	for range 5 {
		p := child.Start(t, "ledger-dies", s.Segment().Path())
		p.Expect("half")
		wantError(t, "while the owner lives", l.Mutex.TryLock(), futex.ErrBusy)
		wantError(t, "while the holder lives", l.Slots.TryAcquire(1), futex.ErrBusy)
		waits := make(chan error)
		go func() { waits <- l.Mutex.Lock() }()
		p.Kill()
		select {
		case err := <-waits:
			wantError(t, "after its death", err, futex.ErrOwnerDead)
		case <-time.After(child.HangLimit):
			t.Fatal("the dead owner's mutex is never given")
		}
		if l.From != l.To+1 {
			t.Errorf("the dead left %d and %d", l.From, l.To)
		}
		l.To = l.From
		checkErr(t, errors.Join(l.Mutex.Recovered(), l.Mutex.Unlock()))
		checkErr(t, errors.Join(l.Slots.TryAcquire(1), l.Slots.Release(1)))
	}
	checkErr(t, errors.Join(l.Mutex.Lock(), l.Mutex.Unlock()))
}

// Close passes on what is held, and a waiter hears of it.
func TestSharedClose(t *testing.T) {
	s := createShared[ledger](t, nil)
	other, err := shm.OpenShared[ledger](s.Segment().Path(), &shm.Options{Prefault: true})
	if err != nil {
		t.Fatal(err)
	}
	checkErr(t, errors.Join(other.Value().Mutex.Lock(), other.Close(), other.Close()))
	wantError(t, "after Close", s.Value().Mutex.Lock(), futex.ErrOwnerDead)
	checkErr(t, errors.Join(s.Value().Mutex.Recovered(), s.Value().Mutex.Unlock()))
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "Value of a shared struct after Close") {
			t.Errorf("Value after Close: %s", r)
		}
	}()
	other.Value()
}

// At gives the struct of a segment wherever that lies, and nothing of another kind or type.
func TestSharedAt(t *testing.T) {
	spec, err := shm.SharedSpec[ledger]()
	if err != nil {
		t.Fatal(err)
	}
	heap, err := shm.Heap(spec)
	if err != nil {
		t.Fatal(err)
	}
	memfd, err := shm.CreateTemp(spec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := shm.OpenFile(memfd.File())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*shm.Segment{heap, memfd} {
		l, err := shm.At[ledger](s)
		if err != nil {
			t.Fatal(err)
		}
		l.move(func() {})
		checkErr(t, errors.Join(l.Mutex.Lock(), l.Mutex.Unlock()))
	}
	if l, err := shm.At[ledger](again); err != nil || l.From != 1 || l.To != 1 {
		t.Errorf("the same memory opened again: %v, %v", l, err)
	}
	wantError(t, "the end of a struct", heap.Shutdown(), shm.ErrKind, "it is a shared struct")
	_, err = shm.At[[8]byte](heap)
	wantError(t, "another type", err, shm.ErrType, "use the type it was made with")
	_, err = shm.At[*ledger](heap)
	wantError(t, "a pointer", err, shm.ErrType)
	for _, s := range []*shm.Segment{heap, again, memfd} {
		checkErr(t, s.Close())
	}
	_, err = shm.At[ledger](heap)
	wantError(t, "a closed segment", err, shm.ErrClosed)
}

// What is refused says so in one line, and leaves nothing behind.
func TestSharedRefused(t *testing.T) {
	dir := ramDir(t)
	path := filepath.Join(dir, "s")
	_, err := shm.OpenShared[ledger](path, nil)
	wantError(t, "none there", err, fs.ErrNotExist)
	_, err = shm.CreateShared[struct{ M sync.Mutex }](path, 0o600, nil)
	wantError(t, "sync.Mutex", err, shm.ErrType, path, ".M is a sync.Mutex, which means something in one process only")
	_, err = shm.OpenShared[string](path, nil)
	wantError(t, "string", err, shm.ErrType)
	_, err = shm.OpenOrCreateShared[string](path, 0o600, nil)
	wantError(t, "string", err, shm.ErrType)
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("left behind: %s", strings.Join(left, ", "))
	}

	s, err := shm.OpenOrCreateShared[ledger](path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = shm.CreateShared[ledger](path, 0o600, nil)
	wantError(t, "taken", err, fs.ErrExist)
	for _, open := range []func(string) error{
		func(p string) error { _, err := shm.OpenShared[account](p, nil); return err },
		func(p string) error { _, err := shm.OpenOrCreateShared[account](p, 0o600, nil); return err },
	} {
		wantError(t, "another type", open(path), shm.ErrType, "use the type it was made with")
	}
	_, err = shm.OpenVar[account](path)
	wantError(t, "a variable asked of a struct", err, shm.ErrKind, "it is a shared struct", "no variable; use OpenShared")
	r, err := shm.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = shm.At[ledger](r)
	wantError(t, "read-only", err, fs.ErrPermission, "read-only")
	checkErr(t, errors.Join(r.Close(), s.Close()))

	v, vpath := createVar[account](t)
	_, err = shm.OpenShared[account](vpath, nil)
	wantError(t, "a struct asked of a variable", err, shm.ErrKind, "it is a variable", "no shared struct; use OpenVar")
	_, err = shm.At[account](v.Segment())
	wantError(t, "the memory of a variable", err, shm.ErrKind)
	ring := filepath.Join(dir, "r")
	seg, err := shm.Create(ring, layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 64}, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = shm.OpenOrCreateShared[account](ring, 0o600, nil)
	wantError(t, "a struct asked of a ring", err, shm.ErrKind, "it is a ring", "use package ring")
	checkErr(t, seg.Close())
}

// The last to leave removes a marked struct; a truncated one is an error of those who work under Guard.
func TestSharedSegment(t *testing.T) {
	s := createShared[ledger](t, &shm.Options{RemoveOnLast: true})
	path := s.Segment().Path()
	checkErr(t, s.Close())
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	s = createShared[ledger](t, nil)
	checkErr(t, unix.Truncate(s.Segment().Path(), layout.Page))
	for what, use := range map[string]func() error{
		"a field": func() error { s.Value().From++; return nil },
		"a lock":  func() error { return s.Value().Mutex.Lock() },
	} {
		err := func() (err error) {
			defer shm.Guard(&err)()
			return use()
		}()
		wantError(t, what+" that was cut off", err, shm.ErrFormat)
	}
}
