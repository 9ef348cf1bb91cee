//go:build linux

package shm_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/futex"
	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("racer", racer)
	child.Register("creator", creator)
	child.Register("no-tmpfile", noTmpfile)
	child.Register("no-fallocate", noFallocate)
}

// rounds is how often races are run: enough to notice, or for a long night.
func rounds(normal, long int) int {
	if os.Getenv("RINGWAY_LONG") == "1" {
		return long
	}
	return normal
}

// gate is a word in a segment of its own at which racers wait for the next round.
func gate(s *shm.Segment) *atomic.Uint32 { return &s.Control().Reason }

// racer makes the ring at args[1] once a round, as its standard input says how, and
// reports what it got.
func racer(args []string) {
	g, err := shm.Open(args[0])
	if err != nil {
		panic(err)
	}
	path := args[1]
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var round uint32
		var how string
		if _, err := fmt.Sscan(in.Text(), &round, &how); err != nil {
			panic(err)
		}
		fmt.Println("ready")
		for gate(g).Load() != round { // observes: the test's start of the round
			if err := futex.Wait(gate(g), round-1, -1); err != nil {
				panic(err)
			}
		}
		fmt.Println(race(path, how))
	}
}

func race(path, how string) (result string) {
	var s *shm.Segment
	var err error
	if how == "create" {
		result = "created "
		if s, err = shm.Create(path, spec, 0o600); errors.Is(err, fs.ErrExist) {
			result = "opened "
			s, err = shm.Open(path) // who is told that it exists can open it
		}
	} else {
		result = "got "
		s, err = shm.OpenOrCreate(path, spec, 0o600)
	}
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	if s.Header().Origin.PID == uint32(os.Getpid()) {
		result = "created "
	}
	return result + ringID(s)
}

// Of any number of racing creators exactly one wins, the others open its ring,
// nobody ever sees half of one, and nothing is left in the directory.
func TestCreatorsRace(t *testing.T) {
	const creators = 4
	dir := ramDir(t)
	path := filepath.Join(dir, "r")
	g := create(t, filepath.Join(t.TempDir(), "gate"), spec)
	var procs [creators]*child.Proc
	for i := range procs {
		procs[i] = child.Start(t, "racer", g.Path(), path)
	}
	var looks, seen int
	n := uint32(rounds(100, 10_000))
	for round := uint32(1); round <= n; round++ {
		how := [2]string{"create", "openorcreate"}[round%2]
		for _, p := range procs {
			if err := p.SendLine(fmt.Sprint(round, " ", how)); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range procs {
			p.Expect("ready")
		}
		gate(g).Store(round) // publishes the round; pairs with the load in racer
		if _, err := futex.Wake(gate(g), creators); err != nil {
			t.Fatal(err)
		}
		for ; ; looks++ { // watch it appear: not at all, then whole
			s, err := shm.Open(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatalf("round %d: half a ring is seen: %v", round, err)
			}
			seen++
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			break
		}
		created, ids := 0, map[string]bool{}
		for _, p := range procs {
			line, err := p.ReadLine()
			if err != nil {
				t.Fatal(err)
			}
			what, id, _ := strings.Cut(line, " ")
			switch what {
			case "created":
				created++
			case "opened", "got":
			default:
				t.Fatalf("round %d: %s", round, line)
			}
			ids[id] = true
		}
		if created != 1 || len(ids) != 1 {
			t.Fatalf("round %d: %d created, %d rings", round, created, len(ids))
		}
		if got := names(t, dir); len(got) != 1 {
			t.Fatalf("round %d: left behind: %v", round, got)
		}
		if err := shm.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds of %d creators: 1 winner each, 0 half-built seen in %d looks", n, creators, looks+seen)
}

// creator makes and removes a ring for ever.
func creator(args []string) {
	fmt.Println("ready")
	for {
		s, err := shm.Create(args[0], spec, 0o600)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := errors.Join(s.Close(), shm.Remove(args[0])); err != nil {
			fmt.Println(err)
			return
		}
	}
}

// Wherever a creator is killed, the path shows all of a ring or nothing, and
// nothing else is left.
func TestCreatorKilled(t *testing.T) {
	for name, dir := range map[string]string{"ram": ramDir(t), "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "r")
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			whole, n := 0, rounds(100, 1000)
			for round := range n {
				p := child.Start(t, "creator", path)
				p.Expect("ready")
				time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond) // picks the moment, orders nothing
				p.Kill()
				if line, err := p.ReadLine(); err == nil {
					t.Fatalf("seed %d, round %d: the creator failed: %s", seed, round, line)
				}
				s, err := shm.Open(path)
				switch left := names(t, dir); {
				case err == nil && len(left) == 1:
					whole++
					if err := errors.Join(s.Close(), shm.Remove(path)); err != nil {
						t.Fatal(err)
					}
				case errors.Is(err, fs.ErrNotExist) && len(left) == 0:
				default:
					t.Fatalf("seed %d, round %d: %v, left behind: %v", seed, round, err, left)
				}
			}
			t.Logf("%d creators killed: %d rings whole, %d absent, 0 half, 0 litter", n, whole, n-whole)
		})
	}
}

// Where there are no nameless files, creation keeps its promises but one: a killed
// creator may leave a hidden file.
func TestCreateWithoutTmpfile(t *testing.T) {
	dir := ramDir(t)
	p := child.Start(t, "no-tmpfile", filepath.Join(dir, "r"))
	p.Expect("created <nil> -rw-r-----")
	p.Expect("again true")
	p.Expect("reopened <nil>")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); len(got) != 1 || got[0] != "r" {
		t.Errorf("left behind: %v", got)
	}
	reopen(t, filepath.Join(dir, "r"))
}

func noTmpfile(args []string) {
	if err := denyTmpfile(); err != nil {
		panic(err)
	}
	if fd, err := unix.Open(filepath.Dir(args[0]), unix.O_TMPFILE|unix.O_RDWR, 0o600); err != unix.EOPNOTSUPP {
		panic(fmt.Sprint("nameless files still work here: ", fd, err))
	}
	s, err := shm.Create(args[0], spec, 0o640)
	info, e := os.Lstat(args[0])
	if e != nil {
		panic(errors.Join(err, e))
	}
	fmt.Println("created", err, info.Mode())
	_, err = shm.Create(args[0], spec, 0o640)
	fmt.Println("again", errors.Is(err, fs.ErrExist))
	_, err = shm.OpenOrCreate(args[0], spec, 0o640)
	fmt.Println("reopened", err)
	if err := s.Close(); err != nil {
		panic(err)
	}
}

// Where fallocate does not work, every block is written instead.
func TestCreateWithoutFallocate(t *testing.T) {
	dir := ramDir(t)
	p := child.Start(t, "no-fallocate", filepath.Join(dir, "r"))
	p.Expect("created <nil>")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "r"), &st); err != nil || st.Blocks*512 < st.Size || st.Size != 3<<20+12288 {
		t.Errorf("%d bytes, %d of them reserved, %v", st.Size, st.Blocks*512, err)
	}
	reopen(t, filepath.Join(dir, "r"))
}

func noFallocate(args []string) {
	if err := child.DenySyscall(unix.SYS_FALLOCATE, unix.EOPNOTSUPP); err != nil {
		panic(err)
	}
	s := layout.Spec{Kind: layout.SPSC, Payload: layout.Fixed, Cap: 1 << 10, Elem: layout.Elem{Size: 3 << 10, Align: 1}, Seats: 2}
	_, err := shm.Create(args[0], s, 0o600)
	fmt.Println("created", err)
}
