//go:build linux

package shm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func init() {
	child.Register("sysv-user", sysvUser)
	child.Register("sysv-half", sysvHalf)
}

// sysvKey returns a key that nobody uses; its segment is removed with the test.
func sysvKey(t *testing.T) int {
	t.Helper()
	for {
		key := 0x52570000 | rand.IntN(1<<16)
		_, err := unix.SysvShmGet(key, 0, 0)
		if errors.Is(err, unix.ENOSYS) {
			t.Skip("this kernel has no System V shared memory")
		}
		if !errors.Is(err, unix.ENOENT) {
			continue
		}
		t.Cleanup(func() {
			if id, err := unix.SysvShmGet(key, 0, 0); err == nil {
				_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
			}
			for _, f := range lockFiles(t, key) {
				checkErr(t, os.Remove(f))
			}
		})
		return key
	}
}

func lockFiles(t *testing.T, key int) []string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("%s/ringway-sysv-%08x-*.lock", shm.Dir, key))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func createSysV(t *testing.T, key int, s layout.Spec) *shm.Segment {
	t.Helper()
	seg, err := shm.CreateSysV(key, s, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, seg)
	return seg
}

func openSysV(t *testing.T, key int) *shm.Segment {
	t.Helper()
	seg, err := shm.OpenSysV(key)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, seg)
	return seg
}

// sysvUser echoes what it takes from one ring into another, blocked most of the time.
func sysvUser(args []string) {
	in, err := shm.Open(args[0])
	if err != nil {
		panic(err)
	}
	out, err := shm.Open(args[1])
	if err != nil {
		panic(err)
	}
	c, err := ring.NewMsgConsumer(in, nil)
	if err != nil {
		panic(err)
	}
	p, err := ring.NewMsgProducer(out, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for {
		b, err := c.Pop(context.Background(), nil)
		if errors.Is(err, shm.ErrClosed) {
			break
		}
		if err == nil {
			err = p.Push(context.Background(), b)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := errors.Join(c.Close(), p.Close(), in.Close(), out.Close()); err != nil {
		panic(err)
	}
}

func TestSysV(t *testing.T) {
	key := sysvKey(t)
	a := createSysV(t, key, spec)
	if a.Path() != fmt.Sprintf("sysv:%#x", key) || a.File() != nil || !a.Mapped() || len(a.Memory()) != fileSize {
		t.Errorf("path %s, file %v, %d bytes", a.Path(), a.File(), len(a.Memory()))
	}
	files := lockFiles(t, key)
	if len(files) != 1 || mode(t, files[0]) != 0o600 {
		t.Fatalf("lock files %v", files)
	}
	b := openSysV(t, key)
	if ringID(a) != ringID(b) {
		t.Error("another ring")
	}
	seat := take(t, a, layout.RoleProducer)
	_, err := b.Take(layout.RoleProducer, "")
	wantError(t, "the seat of the other", err, shm.ErrBusy, "held by pid "+strconv.Itoa(os.Getpid()))
	leave(t, seat)
	leave(t, take(t, b, layout.RoleProducer))
	_, err = shm.CreateSysV(key, spec, 0o600)
	wantError(t, "the same key again", err, fs.ErrExist, "the key is taken")
	c, err := shm.OpenOrCreate(a.Path(), spec, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, c)
	ro, err := shm.OpenReadOnly(a.Path())
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, ro)
	who, err := ro.Attached()
	if err != nil || who.Count != 3 || len(who.Who) != 3 || who.Nattch != 4 || who.Who[0].PID != os.Getpid() {
		t.Errorf("%+v, %v", who, err)
	}
	info, err := ring.Inspect(a.Path())
	if err != nil || info.Users.Count != 3 || info.Users.Nattch != 5 || info.State != "open" {
		t.Errorf("%+v, %v", info, err)
	}
	list, err := shm.ListSysV()
	if found := bytes.Contains([]byte(fmt.Sprint(list)), []byte(a.Path())); err != nil || !found {
		t.Errorf("%v, %v", list, err)
	}

	// Removed, it is gone for others and goes on for us.
	if err := shm.Remove(a.Path()); err != nil {
		t.Fatal(err)
	}
	_, err = shm.OpenSysV(key)
	wantError(t, "after Remove", err, fs.ErrNotExist, "there is no such ring")
	wantError(t, "Remove again", shm.Remove(a.Path()), fs.ErrNotExist)
	a.Control().Where.Store(7)
	if b.Control().Where.Load() != 7 {
		t.Error("the survivors do not share memory")
	}
	seat = take(t, a, layout.RoleConsumer)
	_, err = b.Take(layout.RoleConsumer, "")
	wantError(t, "the seat of a survivor", err, shm.ErrBusy)
	leave(t, seat)
	if d := createSysV(t, key, spec); ringID(d) == ringID(a) || len(lockFiles(t, key)) != 1 {
		t.Errorf("a new one of that key is the old one, or its lock files are %v", lockFiles(t, key))
	}
}

// Data goes both ways between processes that sleep in between: the futex works there.
func TestSysVEcho(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, in, out int) func() error{
		"go": func(t *testing.T, in, out int) func() error {
			p := child.Start(t, "sysv-user", shm.SysVName(in), shm.SysVName(out))
			p.Expect("ready")
			return p.Wait
		},
		"c": func(t *testing.T, in, out int) func() error {
			cmd, _, stderr := startProgram(t, sysvC, "sysv", fmt.Sprint(in), fmt.Sprint(out))
			return func() error {
				if err := cmd.Wait(); err != nil {
					return fmt.Errorf("%w: %s", err, stderr)
				}
				return nil
			}
		},
	} {
		for _, fence := range []layout.Fence{layout.Auto, layout.Full} {
			for _, at := range []uint64{0, ^uint64(0) - 8191} {
				t.Run(fmt.Sprintf("%s, fence %v, from %#x", name, fence, at), func(t *testing.T) {
					there, back := sysvKey(t), sysvKey(t)
					s := layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 1024, Seats: 2, Fence: fence}
					in, out := createSysV(t, there, s), createSysV(t, back, s)
					startAt(in, at)
					startAt(out, at)
					done := start(t, there, back)
					echo(t, in, out, 5000)
					if err := done(); err != nil {
						t.Error(err)
					}
					who, err := in.Attached()
					if err != nil || who.Count != 1 || who.Nattch != 1 {
						t.Errorf("afterwards: %+v, %v", who, err)
					}
				})
			}
		}
	}
}

// echo sends n messages and checks that they come back.
func echo(t *testing.T, in, out *shm.Segment, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), child.HangLimit)
	defer cancel()
	seed := rand.Uint64()
	pushed := make(chan error, 1)
	go func() { pushed <- feed(ctx, in, seed, n) }()
	c, err := ring.NewMsgConsumer(out, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		want := line(r, i, 504)
		if got, err := c.Pop(ctx, nil); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d, message %d: %q, %v, want %q", seed, i, got, err, want)
		}
	}
	checkErr(t, <-pushed)
}

// A killed program in C is as dead as any other.
func TestSysVCKilled(t *testing.T) {
	there, back := sysvKey(t), sysvKey(t)
	in, out := createSysV(t, there, spec), createSysV(t, back, spec)
	cmd, _, stderr := startProgram(t, sysvC, "sysv", fmt.Sprint(there), fmt.Sprint(back))
	p, err := ring.NewMsgProducer(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := ring.NewMsgConsumer(out, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), child.HangLimit)
	defer cancel()
	checkErr(t, p.Push(ctx, []byte("hello")))
	if b, err := c.Pop(ctx, nil); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v, %s", b, err, stderr)
	}
	who, err := in.Attached()
	if err != nil || who.Count != 2 || len(who.Who) != 2 || who.Who[1].PID != cmd.Process.Pid || who.Who[1].Name != "sysv.c" {
		t.Errorf("%+v, %v", who, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // killed: the error is no news
	leave(t, take(t, in, layout.RoleConsumer))
	if who, err = in.Attached(); err != nil || who.Count != 1 || who.Nattch != 1 || in.Control().Reaped.Load() != 1 {
		t.Errorf("%+v, %d reaped, %v", who, in.Control().Reaped.Load(), err)
	}
}

func TestSysVVar(t *testing.T) {
	key := sysvKey(t)
	v, err := shm.CreateVar[account](shm.SysVName(key), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w, err := shm.OpenVar[account](shm.SysVName(key))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		checkErr(t, v.Update(t.Context(), func(p *account) error { p.Count++; return nil }))
		checkErr(t, w.Update(t.Context(), func(p *account) error { p.Count++; return nil }))
	}
	if got := w.Load(); got.Count != 200 {
		t.Errorf("%+v", got)
	}
	checkErr(t, v.Segment().RemoveOnLast())
	checkErr(t, v.Close())
	if got := w.Load(); got.Count != 200 {
		t.Errorf("%+v", got)
	}
	checkErr(t, w.Close())
	_, err = shm.OpenSysV(key)
	wantError(t, "after the last one left", err, fs.ErrNotExist)
	if files := lockFiles(t, key); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// sysvHalf makes half a segment and waits to be killed.
func sysvHalf(args []string) {
	key, err := strconv.Atoi(args[0])
	if err != nil {
		panic(err)
	}
	id, err := unix.SysvShmGet(key, fileSize, unix.IPC_CREAT|unix.IPC_EXCL|0o600)
	if err != nil {
		panic(err)
	}
	mem, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		panic(err)
	}
	if args[1] == "header" {
		g, err := spec.Geometry()
		if err != nil {
			panic(err)
		}
		h := layout.Header{Geometry: g, Origin: goldenOrigin}
		h.Encode(mem)
		f, err := os.Create(fmt.Sprintf("%s/ringway-sysv-%08x-%x.lock", shm.Dir, key, goldenOrigin.ID))
		if err != nil {
			panic(err)
		}
		f.Close()
	}
	fmt.Println("made")
	forever()
}

// What a creator that died left is in nobody's way; what one that lives is making is.
func TestSysVCreatorKilled(t *testing.T) {
	for _, how := range []string{"nothing", "header"} {
		key := sysvKey(t)
		p := child.Start(t, "sysv-half", fmt.Sprint(key), how)
		p.Expect("made")
		_, err := shm.CreateSysV(key, spec, 0o600)
		wantError(t, how, err, fs.ErrExist)
		opens := make(chan error, 1)
		go func() { // and waits for the creator to finish
			_, err := shm.OpenReadOnly(shm.SysVName(key))
			opens <- err
		}()
		p.Kill()
		wantError(t, how, <-opens, shm.ErrFormat, "it was never finished, its creator died")
		if how == "header" {
			_, err = shm.OpenSysV(key)
			wantError(t, how, err, fs.ErrNotExist, "it was never finished, its creator died", "is removed now")
			_, err = shm.OpenSysV(key)
			wantError(t, how, err, fs.ErrNotExist, "there is no such ring")
		}
		s := createSysV(t, key, spec)
		if files := lockFiles(t, key); len(files) != 1 {
			t.Errorf("%s: lock files %v", how, files)
		}
		leave(t, take(t, s, layout.RoleProducer))
	}
}

// A segment of another program that begins with zeroes and whose creator has ended is not taken for half a
// ring while it has contents, or users.
func TestSysVForeignZeroes(t *testing.T) {
	for _, how := range []string{"contents", "users"} {
		key := sysvKey(t)
		p := child.Start(t, "sysv-half", fmt.Sprint(key), "nothing")
		p.Expect("made")
		id, err := unix.SysvShmGet(key, 0, 0)
		checkErr(t, err)
		mem, err := unix.SysvShmAttach(id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.Kill()
		if how == "contents" {
			mem[len(mem)-1] = 1
			checkErr(t, unix.SysvShmDetach(mem))
		}
		_, err = shm.OpenSysV(key)
		wantError(t, how, err, shm.ErrFormat)
		if how == "contents" { // where it need not wait whether they go away
			_, err = shm.CreateSysV(key, spec, 0o600)
			wantError(t, how, err, fs.ErrExist)
			wantError(t, how, shm.Remove(shm.SysVName(key)), shm.ErrFormat, "ipcrm -M")
		}
		if still, err := unix.SysvShmGet(key, 0, 0); still != id || err != nil {
			t.Errorf("with %s it was removed: %v", how, err)
		}
		if how == "users" {
			checkErr(t, unix.SysvShmDetach(mem))
		}
	}
}

// What is no ring, and lock files that somebody else may have put there, are refused.
func TestSysVRefuses(t *testing.T) {
	_, err := shm.CreateSysV(0, spec, 0o600)
	wantError(t, "key 0", err, shm.ErrSpec, "a System V segment is named sysv:KEY")
	_, err = shm.OpenSysV(0)
	wantError(t, "key 0", err, shm.ErrSpec)
	for _, name := range []string{"sysv:", "sysv:x", "sysv:0x100000000", "sysv:-0x80000001"} {
		_, err := shm.Open(name)
		wantError(t, name, err, shm.ErrSpec)
		if _, ok := shm.SysVKey(name); ok {
			t.Errorf("%s has a key", name)
		}
		wantError(t, name, shm.Remove(name), shm.ErrSpec)
	}
	for name, want := range map[string]int{"sysv:0x1234": 0x1234, "sysv:10": 10, "sysv:-1": -1, "sysv:0xffffffff": -1} {
		if key, ok := shm.SysVKey(name); !ok || key != want {
			t.Errorf("%s: %d, %v", name, key, ok)
		}
	}
	_, err = shm.CreateSysV(sysvKey(t), spec, 0o400)
	wantErr(t, "mode 0400", err, "keeps the owner out")

	key := sysvKey(t)
	_, err = shm.OpenSysV(key)
	wantError(t, "nothing", err, fs.ErrNotExist, "there is no such ring; create it first")
	for name, c := range map[string]struct {
		size  int
		bytes string
	}{"small": {100, "hi"}, "foreign": {fileSize, "#!/bin/sh\n"}} {
		key := sysvKey(t)
		id, err := unix.SysvShmGet(key, c.size, unix.IPC_CREAT|unix.IPC_EXCL|0o600)
		if err != nil {
			t.Fatal(err)
		}
		mem, err := unix.SysvShmAttach(id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		copy(mem, c.bytes)
		_, err = shm.OpenSysV(key)
		wantError(t, name, err, shm.ErrFormat, "it is another kind of file")
		wantError(t, name, shm.Remove(shm.SysVName(key)), shm.ErrFormat, "ipcrm -M")
		_, err = shm.CreateSysV(key, spec, 0o600)
		wantError(t, name, err, fs.ErrExist)
		checkErr(t, unix.SysvShmDetach(mem))
	}

	s := createSysV(t, key, spec)
	file := lockFiles(t, key)[0]
	for name, c := range map[string]struct {
		plant func() error
		is    error
		says  string
	}{
		"gone":         {func() error { return nil }, shm.ErrFormat, "cannot be opened"},
		"a link":       {func() error { return os.Symlink("/dev/null", file) }, shm.ErrFormat, "cannot be opened"},
		"a directory":  {func() error { return os.Mkdir(file, 0o700) }, shm.ErrFormat, "cannot be opened"},
		"a FIFO":       {func() error { return unix.Mkfifo(file, 0o600) }, shm.ErrFormat, "no empty regular file"},
		"not empty":    {func() error { return os.WriteFile(file, []byte("x"), 0o600) }, shm.ErrFormat, "no empty regular file"},
		"open to all":  {func() error { return errors.Join(os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o666)) }, fs.ErrPermission, "has mode 0666, the segment 0600"},
		"of two names": {func() error { return errors.Join(os.WriteFile(file+".x", nil, 0o600), os.Link(file+".x", file)) }, shm.ErrFormat, "of one name"},
		"somebody's":   {func() error { return errors.Join(os.WriteFile(file, nil, 0o600), os.Chown(file, 4711, 4711)) }, fs.ErrPermission, "belongs to uid 4711, the segment was made by uid 0"},
	} {
		if name == "somebody's" && os.Geteuid() != 0 {
			t.Log("not root: a lock file of another user is not tried")
			continue
		}
		checkErr(t, os.Rename(file, file+".keep"))
		checkErr(t, c.plant())
		_, err := shm.OpenSysV(key)
		wantError(t, "a lock file that is "+name, err, c.is, c.says)
		checkErr(t, os.RemoveAll(file))
		checkErr(t, os.RemoveAll(file+".x"))
		checkErr(t, os.Rename(file+".keep", file))
	}
	leave(t, take(t, openSysV(t, key), layout.RoleProducer))
	leave(t, take(t, s, layout.RoleProducer))
}

func wantErr(t *testing.T, what string, err error, says string) {
	t.Helper()
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte(says)) {
		t.Errorf("%s: %v, want %q", what, err, says)
	}
}
