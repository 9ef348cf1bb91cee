//go:build linux

package shm_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("inherit", inherit)
}

func TestPath(t *testing.T) {
	for give, want := range map[string]string{
		"ticks": "/dev/shm/ticks.ring", "./ticks": "./ticks", "/run/x/ticks": "/run/x/ticks", "a.ring": "/dev/shm/a.ring.ring",
	} {
		if got := shm.Path(give); got != want {
			t.Errorf("Path(%q) = %q, want %q", give, got, want)
		}
	}
}

func TestCreateOpenClose(t *testing.T) {
	for name, dir := range map[string]string{"ram": ramDir(t), "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "r")
			a := create(t, path, spec)
			b := reopen(t, path)
			want, err := spec.Normal()
			if err != nil {
				t.Fatal(err)
			}
			if a.Spec() != want || b.Spec() != want {
				t.Errorf("specs %+v and %+v, want %+v", a.Spec(), b.Spec(), want)
			}
			if ga, gb := a.Header(), b.Header(); ga.Geometry != gb.Geometry || ga.Origin.ID != gb.Origin.ID || !ga.Origin.Created.Equal(gb.Origin.Created) {
				t.Errorf("headers %+v and %+v", ga, gb)
			}
			if o := a.Header().Origin; o.ID == [16]byte{} || o.PID != uint32(os.Getpid()) || o.UID != uint32(os.Geteuid()) {
				t.Errorf("origin %+v", o)
			}
			if a.Path() != path || b.Path() != path || !a.Mapped() || a.File() == nil {
				t.Errorf("paths %q and %q, want %q", a.Path(), b.Path(), path)
			}
			if len(a.Memory()) != fileSize || mode(t, path) != 0o600 || !slices.Equal(names(t, dir), []string{"r"}) {
				t.Errorf("%d bytes, mode %v, directory %v", len(a.Memory()), mode(t, path), names(t, dir))
			}
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil || st.Size != fileSize || st.Blocks*512 < fileSize {
				t.Errorf("%d bytes, %d of them reserved, %v", st.Size, st.Blocks*512, err)
			}
			a.Control().Where.Store(42)
			if got := b.Control().Where.Load(); got != 42 {
				t.Errorf("stored 42 through one mapping, the other shows %d", got)
			}
			for range 2 {
				if err := a.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			_, err = a.Take(layout.RoleProducer, "")
			wantError(t, "Take after Close", err, shm.ErrClosed)
			wantError(t, "Take after Close", err, os.ErrClosed)
			wantError(t, "Shutdown after Close", a.Shutdown(), shm.ErrClosed)
			_, err = a.Reap()
			wantError(t, "Reap after Close", err, shm.ErrClosed)
			_, err = a.Alive(0)
			wantError(t, "Alive after Close", err, shm.ErrClosed)
			if got := b.Control().Where.Load(); got != 42 {
				t.Errorf("closing one segment changed the other: %d", got)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	a := create(t, path, spec)
	if err := shm.Remove(path); err != nil {
		t.Fatal(err)
	}
	a.Control().Where.Store(7) // the mapping lives on
	seat := take(t, a, layout.RoleProducer)
	leave(t, seat)
	_, err := shm.Open(path)
	wantError(t, "Open after Remove", err, fs.ErrNotExist, "there is no such ring; create it first")
	wantError(t, "a second Remove", shm.Remove(path), fs.ErrNotExist)
	if b := create(t, path, spec); ringID(a) == ringID(b) || b.Control().Where.Load() != 0 {
		t.Error("a new ring of the old name is the old ring")
	}
}

func TestOpenOrCreate(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	a, err := shm.OpenOrCreate(path, spec, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, a)
	if mode(t, path) != 0o640 {
		t.Errorf("mode %v", mode(t, path))
	}
	auto := spec
	auto.Fence = layout.Auto
	for _, s := range []layout.Spec{spec, auto} {
		b, err := shm.OpenOrCreate(path, s, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, b)
		if ringID(a) != ringID(b) || mode(t, path) != 0o640 {
			t.Errorf("fence %v: another ring, or its mode %v changed", s.Fence, mode(t, path))
		}
	}
	for _, c := range []struct {
		name string
		s    layout.Spec
		says string
	}{
		{"capacity", layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 512, Seats: 2, Fence: layout.Full},
			"the ring is spsc messages, 256 bytes, messages up to 120, wanted spsc messages, 512 bytes, messages up to 248; use another name, or remove the ring if nobody needs it"},
		{"seats", layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 256, Seats: 9, Fence: layout.Full},
			"the ring is spsc messages, 256 bytes, 2 seats, wanted spsc messages, 256 bytes, 9 seats"},
		{"fence", layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 256, Seats: 2, Fence: layout.Asymmetric}, "fence full, wanted spsc messages, 256 bytes, fence asymmetric"},
		{"longest message", layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 256, Elem: layout.Elem{Size: 9}, Seats: 2}, "messages up to 120, wanted spsc messages, 256 bytes, messages up to 9"},
		{"payload", layout.Spec{Kind: layout.SPSC, Payload: layout.Fixed, Cap: 8, Elem: layout.Elem{Size: 8, Align: 8, Hash: 5}, Seats: 2}, "wanted spsc fixed, 8 slots of 8 bytes of type 0000000000000005"},
		{"nonsense", layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 3}, "capacity must be a power of two, not 3"},
	} {
		s, err := shm.OpenOrCreate(path, c.s, 0o600)
		wantError(t, c.name, err, shm.ErrSpec, c.says, path)
		if s != nil && err != nil {
			if _, e := s.Take(layout.RoleProducer, ""); e == nil {
				t.Errorf("%s: an open segment came with the error", c.name)
			}
		}
	}
	if got := names(t, filepath.Dir(path)); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// OpenOrCreate does not trust a file that a third user may have planted.
func TestOpenOrCreateForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file to another user")
	}
	path := filepath.Join(ramDir(t), "r")
	create(t, path, spec)
	if err := os.Chown(path, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	_, err := shm.OpenOrCreate(path, spec, 0o600)
	wantError(t, "OpenOrCreate", err, fs.ErrPermission, "it belongs to uid 4711, not to us (uid 0); use Open if that is meant, or another name")
	reopen(t, path)
}

// The mode is exactly the one asked for, whatever the umask.
func TestModeIsExact(t *testing.T) {
	dir := ramDir(t)
	defer unix.Umask(unix.Umask(0o077))
	for _, perm := range []fs.FileMode{0o600, 0o660, 0o666, 0o644, 0o777} {
		path := filepath.Join(dir, fmt.Sprint("r", uint32(perm)))
		s, err := shm.Create(path, spec, perm)
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, s)
		if got := mode(t, path); got != perm {
			t.Errorf("asked for %v, got %v", perm, got)
		}
	}
	for _, perm := range []fs.FileMode{0o600 | fs.ModeSetuid, fs.ModeDir | 0o600} {
		if _, err := shm.Create(filepath.Join(dir, "bad"), spec, perm); err == nil {
			t.Errorf("mode %v was accepted", perm)
		}
	}
}

func TestFenceAuto(t *testing.T) {
	auto, want := spec, layout.Full
	auto.Fence = layout.Auto
	if order.Supported() {
		want = layout.Asymmetric
	}
	if got := create(t, filepath.Join(ramDir(t), "r"), auto).Spec().Fence; got != want {
		t.Errorf("fence %v, want %v", got, want)
	}
}

func TestCreateTemp(t *testing.T) {
	a, err := shm.CreateTemp(spec)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, a)
	for name, err := range map[string]error{
		"shrink": unix.Ftruncate(int(a.File().Fd()), 4096),
		"grow":   unix.Ftruncate(int(a.File().Fd()), 1<<20),
	} {
		wantError(t, name, err, unix.EPERM)
	}
	seals, err := unix.FcntlInt(a.File().Fd(), unix.F_GET_SEALS, 0)
	if want := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL; err != nil || seals&want != want {
		t.Errorf("seals %#x, %v, want %#x", seals, err, want)
	}
	b, err := shm.OpenFile(a.File())
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, b)
	a.Control().Where.Store(9)
	if b.Control().Where.Load() != 9 || ringID(a) != ringID(b) {
		t.Error("OpenFile maps something else")
	}
	// Their locks are two: the file's own description was reopened.
	seat := take(t, a, layout.RoleConsumer)
	_, err = b.Take(layout.RoleConsumer, "")
	wantError(t, "the seat of the other", err, shm.ErrBusy)
	leave(t, seat)

	cmd := child.Command("inherit")
	cmd.ExtraFiles = []*os.File{a.File()}
	p := child.StartCmd(t, cmd)
	p.Expect("id " + ringID(a))
	_, err = a.Take(layout.RoleProducer, "")
	wantError(t, "the seat of the heir", err, shm.ErrBusy, fmt.Sprintf("held by pid %d (%q)", p.Pid(), "heir"))
	p.Kill()
	leave(t, take(t, a, layout.RoleProducer))
}

// inherit takes the producer's seat of the segment at descriptor 3.
func inherit([]string) {
	f := os.NewFile(3, "inherited")
	s, err := shm.OpenFile(f)
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	f.Close()
	if _, err := s.Take(layout.RoleProducer, "heir"); err != nil {
		fmt.Println("take:", err)
		return
	}
	fmt.Println("id", ringID(s))
	forever()
}

func TestHeap(t *testing.T) {
	a, err := shm.Heap(spec)
	if err != nil {
		t.Fatal(err)
	}
	if a.Mapped() || a.File() != nil || len(a.Memory()) != fileSize || uintptr(unsafe.Pointer(&a.Memory()[0]))%layout.Page != 0 {
		t.Errorf("mapped %v, file %v, %d bytes at %p", a.Mapped(), a.File(), len(a.Memory()), &a.Memory()[0])
	}
	if h, err := layout.Validate(bytes.Clone(a.Memory()[:layout.HeaderSize]), fileSize); err != nil || h.Geometry != a.Header().Geometry {
		t.Errorf("%+v, %v", h, err)
	}
	seat := take(t, a, layout.RoleProducer)
	_, err = a.Take(layout.RoleProducer, "")
	wantError(t, "a second producer", err, shm.ErrBusy)
	wantError(t, "Close with a seat", a.Close(), shm.ErrBusy)
	leave(t, seat)
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err = shm.Heap(layout.Spec{Kind: layout.SPSC})
	wantError(t, "no payload", err, shm.ErrSpec)
}
