//go:build linux

package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("other-user", otherUser)
}

// broken makes everything that is not a usable ring under a path.
var broken = []struct {
	name string
	make func(path string, ring []byte) error
	is   error
	says string
}{
	{"empty file", bytesFile(func(b []byte) []byte { return nil }), shm.ErrFormat, "the file is empty; remove it and create the ring again"},
	{"short file", bytesFile(func(b []byte) []byte { return b[:100] }), shm.ErrFormat, "the file has 100 bytes, too few for a header"},
	{"header only", bytesFile(func(b []byte) []byte { return b[:4096] }), shm.ErrFormat, "the file has 4096 bytes, too few for a header"},
	{"foreign file", bytesFile(func(b []byte) []byte { return []byte(strings.Repeat("#!/bin/sh\n", 1000)) }), shm.ErrFormat, "no ringway magic at its start; it is another kind of file"},
	{"short foreign file", bytesFile(func(b []byte) []byte { return []byte("hi") }), shm.ErrFormat, "it is another kind of file"},
	{"truncated", bytesFile(func(b []byte) []byte { return b[:len(b)-4096] }), shm.ErrFormat, "the file has 12288 bytes, its header says 16384; it was truncated or extended"},
	{"extended", bytesFile(func(b []byte) []byte { return append(b, 0) }), shm.ErrFormat, "the file has 16385 bytes, its header says 16384"},
	{"half-built", bytesFile(func(b []byte) []byte { clear(b[readyOff : readyOff+8]); return b }), shm.ErrFormat, "it was never finished, its creator died; remove it and create the ring again"},
	{"zeros", bytesFile(func(b []byte) []byte { clear(b); return b }), shm.ErrFormat, "no ringway magic"},
	{"flipped bit", bytesFile(func(b []byte) []byte { b[40] ^= 1; return b }), shm.ErrFormat, "header checksum is"},
	{"newer version", bytesFile(func(b []byte) []byte { return forge(b, func(b []byte) { b[majorOff] = 2 }) }), shm.ErrVersion, "found 2.0, this build reads 1.x"},
	{"earlier boot", bytesFile(func(b []byte) []byte { return forge(b, func(b []byte) { b[bootOff] ^= 1 }) }), shm.ErrFormat, "it was made before this machine's last boot, so its contents cannot be trusted; remove it and create the ring again"},
	{"state 0", bytesFile(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[stateOff:], 0); return b }), shm.ErrFormat, "its state word is 0; it is damaged"},
	{"state 4", bytesFile(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[stateOff:], 4); return b }), shm.ErrFormat, "its state word is 4; it is damaged"},
	{"directory", func(path string, _ []byte) error { return os.Mkdir(path, 0o700) }, shm.ErrFormat, "it is a directory, a ring is a regular file; use another name"},
	{"FIFO", func(path string, _ []byte) error { return unix.Mkfifo(path, 0o600) }, shm.ErrFormat, "it is a FIFO, a ring is a regular file"},
	{"socket", func(path string, _ []byte) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }, shm.ErrFormat, "it is a socket or a device, a ring is a regular file"},
	{"symlink", func(path string, ring []byte) error {
		if err := os.WriteFile(path+".real", ring, 0o600); err != nil {
			return err
		}
		return os.Symlink(path+".real", path)
	}, shm.ErrFormat, "it is a symbolic link, which is never followed; name the ring itself"},
	{"dangling symlink", func(path string, _ []byte) error { return os.Symlink(path+".gone", path) }, shm.ErrFormat, "it is a symbolic link"},
	{"nothing", func(string, []byte) error { return nil }, fs.ErrNotExist, "there is no such ring; create it first"},
	{"missing directory", func(path string, _ []byte) error { return os.Remove(filepath.Dir(path)) }, fs.ErrNotExist, "there is no such ring"},
	{"file as directory", func(path string, _ []byte) error {
		if err := os.Remove(filepath.Dir(path)); err != nil {
			return err
		}
		return os.WriteFile(filepath.Dir(path), nil, 0o600)
	}, unix.ENOTDIR, ""},
}

func bytesFile(f func([]byte) []byte) func(string, []byte) error {
	return func(path string, ring []byte) error { return os.WriteFile(path, f(ring), 0o600) }
}

// place makes a broken thing and returns its path.
func place(t *testing.T, i int) string {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "r")
	if err := broken[i].make(path, segmentBytes(t)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	for i, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			path := place(t, i)
			for name, f := range map[string]func(string) (*shm.Segment, error){"Open": shm.Open, "OpenReadOnly": shm.OpenReadOnly} {
				s, err := f(path)
				says := c.says
				if c.name == "socket" && name == "OpenReadOnly" {
					says = ""
				}
				wantError(t, name, err, c.is, "open "+path+": ", says)
				if s != nil {
					t.Errorf("%s returned a segment and %v", name, err)
				}
			}
		})
	}
}

// OpenOrCreate makes nothing of what Open refuses, replaces nothing and follows nothing.
func TestOpenOrCreateRefuses(t *testing.T) {
	for i, c := range broken {
		if c.name == "nothing" {
			continue // that is what it creates, see TestOpenOrCreate
		}
		t.Run(c.name, func(t *testing.T) {
			path := place(t, i)
			before, _ := os.Lstat(path)
			_, err := shm.OpenOrCreate(path, spec, 0o600)
			wantError(t, "OpenOrCreate", err, c.is)
			if c.name == "missing directory" {
				wantError(t, "OpenOrCreate", err, c.is, "the directory "+filepath.Dir(path)+" does not exist; create it or use another path")
			}
			after, _ := os.Lstat(path)
			if (before == nil) != (after == nil) || before != nil && !os.SameFile(before, after) {
				t.Error("it replaced what was there")
			}
			if _, err := os.Lstat(path + ".gone"); err == nil {
				t.Error("it followed a dangling link")
			}
		})
	}
}

// A name that anything has is taken.
func TestCreateTaken(t *testing.T) {
	for i, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			path := place(t, i)
			before, err := os.Lstat(path)
			if err != nil {
				return // there is nothing in the way
			}
			s, err := shm.Create(path, spec, 0o600)
			by := "a file of " + fmt.Sprint(before.Size()) + " bytes"
			switch m := before.Mode(); {
			case m&fs.ModeSymlink != 0:
				by = "a symbolic link"
			case !m.IsRegular():
				by = "a " + c.name
			}
			wantError(t, "Create", err, fs.ErrExist, "the name is taken (by "+by+"); open it, remove it, or use another name")
			after, err := os.Lstat(path)
			if s != nil || err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there was replaced: %v, %v, %v", before, after, err)
			}
		})
	}
	dir := t.TempDir()
	for path, says := range map[string]string{
		filepath.Join(dir, "no", "r"): "the directory " + filepath.Join(dir, "no") + " does not exist; create it or use another path",
		"/proc/r":                     "",
	} {
		if _, err := shm.Create(path, spec, 0o600); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("create %s: %v, want %q", path, err, says)
		}
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// Remove takes away rings, damaged ones too, and nothing else.
func TestRemoveRefuses(t *testing.T) {
	for i, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			path := place(t, i)
			before, _ := os.Lstat(path)
			err := shm.Remove(path)
			after, _ := os.Lstat(path)
			switch c.name {
			case "header only", "truncated", "extended", "half-built", "flipped bit", "newer version", "earlier boot", "state 0", "state 4", "short file":
				if err != nil || after != nil {
					t.Errorf("a damaged ring is not removed: %v", err)
				}
			default:
				wantError(t, "Remove", err, c.is, "remove "+path)
				if before != nil && after == nil {
					t.Error("it was removed all the same")
				}
			}
		})
	}
}

// Another user is told whose ring it is and what may be done.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	dir := ramDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "r")
	create(t, path, spec)
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	create(t, filepath.Join(closed, "r"), spec)
	p := child.Start(t, "other-user", path, filepath.Join(closed, "r"), filepath.Join(dir, "new"))
	p.Expect("true it belongs to uid 0 with mode 0600, we are uid 65534; ask its owner, or create it with a wider --perm: permission denied")
	p.Expect("true a directory above it is closed to uid 65534: permission denied")
	p.Expect("true uid 65534 may not create files in " + dir + "; use another directory: permission denied")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// otherUser becomes nobody, opens two paths and creates a third.
func otherUser(paths []string) {
	if err := errors.Join(unix.Setgroups(nil), unix.Setgid(65534), unix.Setuid(65534)); err != nil {
		panic(err)
	}
	_, denied := shm.Open(paths[0])
	_, hidden := shm.Open(paths[1])
	_, refused := shm.Create(paths[2], layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 64}, 0o600)
	for i, err := range []error{denied, hidden, refused} {
		_, text, _ := strings.Cut(fmt.Sprint(err), paths[i]+": ")
		fmt.Println(errors.Is(err, fs.ErrPermission), text)
	}
}

// What is no ring is refused through a descriptor as well.
func TestOpenFileRefuses(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	text, err := os.Open(write(t, "text", []byte("some text, long enough to have a magic")))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	for name, c := range map[string]struct {
		f    *os.File
		says string
	}{
		"pipe":   {r, "it is a FIFO, a ring is a regular file"},
		"device": {null, "it is a device, a ring is a regular file"},
		"text":   {text, "it is another kind of file"},
	} {
		s, err := shm.OpenFile(c.f)
		wantError(t, name, err, shm.ErrFormat, "open "+c.f.Name(), c.says)
		if s != nil {
			t.Errorf("%s: a segment came with the error", name)
		}
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	_, err = shm.OpenFile(dir)
	wantError(t, "directory", err, unix.EISDIR)
	dir.Close()
	if _, err := shm.OpenFile(dir); err == nil {
		t.Error("a closed file was opened")
	}
}
