//go:build linux

package shm_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("owner", owner)
}

// owner takes the seat of a role, says so, gives it up at the first line it reads,
// and otherwise sits there until it dies.
func owner(args []string) {
	role, err := strconv.Atoi(args[1])
	if err != nil {
		panic(err)
	}
	s, err := shm.Open(args[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	seat, err := s.Take(layout.Role(role), "owner")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("seat", seat.Index, "epoch", seat.Epoch)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(in.Text(), errors.Join(seat.Check(), seat.Leave()))
	}
}

func startOwner(t *testing.T, path string, role layout.Role) *child.Proc {
	return child.Start(t, "owner", path, strconv.Itoa(int(role)))
}

func reap(t *testing.T, s *shm.Segment, want int) {
	t.Helper()
	if n, err := s.Reap(); err != nil || n != want {
		t.Errorf("Reap = %d, %v, want %d", n, err, want)
	}
}

func alive(t *testing.T, s *shm.Segment, seat int, want bool) {
	t.Helper()
	if got, err := s.Alive(seat); err != nil || got != want {
		t.Errorf("Alive(%d) = %v, %v, want %v", seat, got, err, want)
	}
}

// Each side of an SPSC ring is one seat, whoever asks: another segment of this
// process, the same one, another process.
func TestSeatsAreExclusive(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	a, b := create(t, path, spec), reopen(t, path)
	for index, role := range []layout.Role{layout.RoleProducer, layout.RoleConsumer} {
		seat, err := a.Take(role, "first")
		if err != nil {
			t.Fatal(err)
		}
		if seat.Index != index || seat.Epoch != 1 || layout.Role(seat.Line.Role.Load()) != role || seat.Line.OwnerName() != "first" ||
			seat.Line.PID.Load() != uint32(os.Getpid()) || seat.Line.State.Load() != layout.SeatTaken || seat.Line.Start.Load() == 0 {
			t.Errorf("%v: seat %d, line %+v", role, seat.Index, seat.Line)
		}
		says := fmt.Sprintf("take the %v seat of %s: in use: held by pid %d (%q) since ", role, path, os.Getpid(), "first")
		for name, s := range map[string]*shm.Segment{"same segment": a, "another segment": b} {
			_, err := s.Take(role, "second")
			wantError(t, name, err, shm.ErrBusy, says)
			alive(t, s, index, true)
			reap(t, s, 0)
		}
		startOwner(t, path, role).Expect(fmt.Sprintf("%s%s", says, sinceOf(seat)))
		wantError(t, "Close", a.Close(), shm.ErrBusy, "close "+path+": in use: 1 end is open on it; close it first")
		if err := seat.Check(); err != nil {
			t.Error(err)
		}
		for range 2 {
			leave(t, seat)
		}
		alive(t, a, index, false)
		again := take(t, b, role)
		if again.Epoch != 2 {
			t.Errorf("epoch %d after a second taking, want 2", again.Epoch)
		}
		leave(t, seat) // once more: it is b's now, and stays so
		alive(t, a, index, true)
		leave(t, again)
	}
	if n := a.Control().Reaped.Load(); n != 0 {
		t.Errorf("%d seats count as reaped, nobody died", n)
	}
}

func sinceOf(seat *shm.Seat) string {
	return timeOf(seat.Line.Since.Load())
}

// On an MPMC ring any seat serves either role, until there is none.
func TestSeatsOfMPMC(t *testing.T) {
	s := layout.Spec{Kind: layout.MPMC, Payload: layout.Message, Cap: 4, Elem: layout.Elem{Size: 8}, Seats: 3, Fence: layout.Full}
	path := filepath.Join(ramDir(t), "r")
	a, b := create(t, path, s), reopen(t, path)
	var seats []*shm.Seat
	for i, from := range []*shm.Segment{a, b, a} {
		seat := take(t, from, layout.Role(1+i%2))
		if seat.Index != i {
			t.Errorf("seat %d, want %d", seat.Index, i)
		}
		seats = append(seats, seat)
	}
	_, err := b.Take(layout.RoleConsumer, "")
	wantError(t, "a fourth", err, shm.ErrBusy, "all 3 seats are taken; create the ring with more seats")
	leave(t, seats[1])
	if seat := take(t, a, layout.RoleConsumer); seat.Index != 1 {
		t.Errorf("took seat %d, 1 is the free one", seat.Index)
	} else {
		leave(t, seat)
	}
	leave(t, seats[0])
	leave(t, seats[2])
}

// A seat that is all its owner keeps keeps its lock.
func TestGarbageCollectorDropsNoLock(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	create(t, path, spec)
	watcher := reopen(t, path)
	seat := func() *shm.Seat {
		s, err := shm.Open(path) // reachable through the seat only
		if err != nil {
			t.Fatal(err)
		}
		return take(t, s, layout.RoleConsumer)
	}()
	for range 5 {
		runtime.GC()
		alive(t, watcher, 1, true)
	}
	_, err := watcher.Take(layout.RoleConsumer, "")
	wantError(t, "Take", err, shm.ErrBusy)
	leave(t, seat)
	alive(t, watcher, 1, false)
}

// Observers can neither take part nor change anything.
func TestReadOnly(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	a := create(t, path, spec)
	seat := take(t, a, layout.RoleProducer)
	s, err := shm.OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, s)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, take := s.Take(layout.RoleConsumer, "")
	_, reap := s.Reap()
	for name, err := range map[string]error{"Take": take, "Reap": reap, "Shutdown": s.Shutdown()} {
		if err == nil {
			t.Errorf("%s works read-only", name)
			continue
		}
		wantError(t, name, err, err, path, "opened read-only")
	}
	s.MarkCorrupt(layout.ReasonReported, 1)
	alive(t, s, 0, true)
	alive(t, s, 1, false)
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("an observer changed the ring, %v", err)
	}
	leave(t, seat)
}

// Whoever finds a later owner's epoch in its seat has lost it, and says so.
func TestSeatLost(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	seat := take(t, s, layout.RoleProducer)
	seat.Line.Epoch.Add(1) // as a later owner's taking would
	wantError(t, "Check", seat.Check(), shm.ErrClosed, "its lock was lost and somebody else took it")
	seat.Line.Epoch.Add(^uint32(0))
	leave(t, seat)
}

// Two segments and two goroutines on each compete for one seat: one at a time has it.
func TestSeatsConcurrently(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	a, b := create(t, path, spec), reopen(t, path)
	var holders, taken atomic.Int32
	var wg sync.WaitGroup
	for _, s := range []*shm.Segment{a, a, b, b} {
		wg.Go(func() {
			for mine := 0; mine < 10; {
				seat, err := s.Take(layout.RoleConsumer, "one of four")
				if errors.Is(err, shm.ErrBusy) {
					runtime.Gosched()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the seat at once", n)
				}
				mine++
				taken.Add(1)
				holders.Add(-1)
				if err := seat.Leave(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := layout.SeatsAt(a.Memory(), 2)[1].Epoch.Load(); int32(got) != taken.Load() || got != 40 {
		t.Errorf("epoch %d after %d takings, want 40", got, taken.Load())
	}
}

// Who may only read the file may hold up a taking with a lock, and no more: it is
// refused, and works once that lock is gone.
func TestReaderHoldsLock(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_RDLCK, Start: layout.LockByte(0), Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		t.Fatal(err)
	}
	_, err = s.Take(layout.RoleProducer, "")
	wantError(t, "Take", err, shm.ErrBusy, "somebody is just taking it")
	leave(t, take(t, s, layout.RoleConsumer))
	l.Type = unix.F_UNLCK
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l); err != nil {
		t.Fatal(err)
	}
	leave(t, take(t, s, layout.RoleProducer))
}
