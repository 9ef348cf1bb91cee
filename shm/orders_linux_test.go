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
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	detector "ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("orders", orders)
	child.Register("other-remover", otherRemover)
}

// orders does what its input says, with one handle.
func orders(args []string) {
	path := args[0]
	var s *shm.Segment
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var err error
		var next *shm.Segment
		switch in.Text() {
		case "create":
			next, err = shm.Create(path, spec, 0o600)
		case "create-marked":
			next, err = shm.CreateWith(path, spec, 0o600, &shm.Options{Name: "orders", RemoveOnLast: true})
		case "open":
			next, err = shm.Open(path)
		case "use":
			var seat *shm.Seat
			if seat, err = s.Take(layout.RoleProducer, ""); err == nil {
				fmt.Printf("%d ", s.Control().Where.Add(1))
				err = seat.Leave()
			}
		case "close":
			err = s.Close()
		case "mark":
			err = s.RemoveOnLast()
		case "remove":
			err = shm.Remove(path)
		case "sweep":
			var done bool
			done, err = shm.RemoveAbandoned(path)
			fmt.Printf("%v ", done)
		}
		if next != nil {
			s = next
		}
		fmt.Println(outcome(err))
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, fs.ErrExist):
		return "exists"
	case errors.Is(err, fs.ErrNotExist):
		return "nothing"
	case errors.Is(err, shm.ErrClosed):
		return "closed"
	}
	return err.Error()
}

// stage has three processes and the name they use.
type stage struct {
	t     *testing.T
	path  string
	procs [3]*child.Proc
	ran   int
}

// play runs a sequence for real beside the model, and looks at the name after each step.
func (g *stage) play(seq []act) {
	t := g.t
	t.Helper()
	var w world
	for i, o := range seq {
		want, ok := w.do(o.proc, o.what)
		if !ok {
			t.Fatalf("%v is no sequence", seq)
		}
		got := "ok"
		if o.what == "kill" {
			kill(t, g.procs[o.proc])
			g.procs[o.proc] = child.Start(t, "orders", g.path)
		} else {
			got = g.ask(o.proc, o.what)
		}
		if got != want {
			t.Fatalf("%v: step %d says %q, want %q", seq, i, got, want)
		}
		g.look(seq[:i+1], &w)
	}
	g.ran++
	for i := range g.procs { // the end: everybody leaves, and so does the name
		if w.procs[i].has != nil {
			g.ask(i, "close")
		}
	}
	if err := shm.Remove(g.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func (g *stage) ask(proc int, what string) string {
	checkErr(g.t, g.procs[proc].SendLine(what))
	line, err := g.procs[proc].ReadLine()
	if err != nil {
		g.t.Fatal(err)
	}
	return line
}

// look compares the name, its users and its mark with the model's.
func (g *stage) look(seq []act, w *world) {
	t := g.t
	t.Helper()
	s, err := shm.OpenReadOnly(g.path)
	if errors.Is(err, fs.ErrNotExist) && w.name == nil {
		return
	}
	if err != nil || w.name == nil {
		t.Fatalf("%v: an observer is told %v, the model has %+v", seq, err, w.name)
	}
	who, err := s.Attached()
	if err != nil || who.Count != w.name.users || len(who.Who) != w.name.users || who.RemoveOnLast != w.name.marked {
		t.Fatalf("%v: attached %+v, %v, want %+v", seq, who, err, *w.name)
	}
	checkErr(t, s.Close())
}

// Whatever up to three processes do, in whatever order, and whoever is killed: each is
// told what the model says, and the name is there as long as it should.
func TestLifecycleOrders(t *testing.T) {
	g := &stage{t: t, path: filepath.Join(ramDir(t), "r")}
	for i := range g.procs {
		g.procs[i] = child.Start(t, "orders", g.path)
	}
	length := rounds(4, 5)
	if detector.Enabled {
		length-- // a process takes long to start
	}
	every(length, g.play)
	exhaustive := g.ran

	// Longer ones at random, biased towards life.
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range rounds(60, 3000) {
		var seq []act
		for len(seq) < 14 {
			o := act{r.IntN(3), operations[r.IntN(len(operations))]}
			if o.what == "kill" && r.IntN(4) > 0 {
				continue
			}
			if next := append(seq[:len(seq):len(seq)], o); sensible(next) {
				seq = next
			}
		}
		g.play(seq)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if got := names(t, filepath.Dir(g.path)); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
	t.Logf("all %d sequences of %d steps, and %d of 14", exhaustive, length, g.ran-exhaustive)
}

// A segment of the old name is never taken for the marked one: neither by its last user nor
// by who finds it abandoned.
func TestRemoveOnLastSparesTheNext(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	old, err := shm.CreateWith(path, spec, 0o600, &shm.Options{RemoveOnLast: true, Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	next := create(t, path, spec)
	checkErr(t, old.Close())
	if b := reopen(t, path); ringID(b) != ringID(next) {
		t.Error("the next one's name leads elsewhere")
	}
	if got := strings.Join(names(t, filepath.Dir(path)), " "); got != "r r.moved" {
		t.Errorf("names %q: it removed what was not under its own name", got)
	}
	// Under its new name it is abandoned, and goes with whoever looks.
	_, err = shm.Open(path + ".moved")
	wantError(t, "abandoned", err, fs.ErrNotExist, "it was to go with its last user, who was killed", "it is removed now")
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}

// More users than the attach table has entries are counted all the same.
func TestAttachedBeyondTheTable(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, spec)
	const n = layout.AttachTable + 20
	for range n - 1 {
		reopen(t, path)
	}
	who, err := s.Attached()
	if err != nil || who.Count != n || len(who.Who) != layout.AttachTable || who.Nattch != -1 {
		t.Errorf("%d, %d of them named, nattch %d, %v", who.Count, len(who.Who), who.Nattch, err)
	}
	for i, a := range who.Who {
		if a.Slot != i || a.PID != os.Getpid() || a.Name != "shm.test" || a.Stopped || a.Since.IsZero() || a.Started == 0 {
			t.Fatalf("%+v", a)
		}
	}
	h, err := shm.Heap(spec)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, h)
	if who, err = h.Attached(); err != nil || who.Count != 0 {
		t.Errorf("heap: %+v, %v", who, err)
	}
}

// otherRemover becomes nobody and removes what it may unlink but not write to.
func otherRemover(args []string) {
	if err := errors.Join(unix.Setgroups(nil), unix.Setgid(65534), unix.Setuid(65534)); err != nil {
		panic(err)
	}
	_, err := shm.Open(args[0])
	fmt.Println(errors.Is(err, fs.ErrPermission), shm.Remove(args[0]))
}

func TestRemoveWithoutWriting(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	dir := ramDir(t)
	path := filepath.Join(dir, "r")
	s := create(t, path, spec)
	if err := errors.Join(os.Chmod(path, 0o644), os.Chown(dir, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	p := child.Start(t, "other-remover", path)
	p.Expect("true <nil>")
	checkErr(t, p.Wait())
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
	leave(t, take(t, s, layout.RoleProducer)) // survivors go on
}
