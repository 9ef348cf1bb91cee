package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// resealed sets bytes of a header and makes its checksum right again.
func resealed(b []byte, at int, to ...byte) []byte {
	copy(b[at:], to)
	binary.LittleEndian.PutUint32(b[252:], crc32.Checksum(b[:252], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// plant puts something that is no ring, or none to use, at a path.
type plant struct {
	what, says string
	put        func(path string, ring []byte) error // ring: the bytes of a good one
}

func file(change func(ring []byte) []byte) func(string, []byte) error {
	return func(path string, ring []byte) error { return os.WriteFile(path, change(ring), 0o600) }
}

var plants = []plant{
	{"nothing", "there is no such ring; create it first", func(string, []byte) error { return nil }},
	{"an empty file", "the file is empty", file(func([]byte) []byte { return nil })},
	{"a text", "another kind of file", file(func([]byte) []byte { return []byte("hello, world\n") })},
	{"a header alone", "too few for a header", file(func(b []byte) []byte { return b[:300] })},
	{"a half-built ring", "never finished", file(func(b []byte) []byte { clear(b[256:264]); return b })},
	{"a newer version", "found 2.0, this build reads 1.x", file(func(b []byte) []byte { return resealed(b, 8, 2) })},
	{"an unknown feature", "needs features 0x1", file(func(b []byte) []byte { return resealed(b, 24, 1) })},
	{"a wrong checksum", "header is damaged", file(func(b []byte) []byte { b[252] ^= 1; return b })},
	{"a damaged header", "header is damaged", file(func(b []byte) []byte { b[33] ^= 1; return b })},
	{"an impossible header", "do not follow from its spec|is impossible", file(func(b []byte) []byte { return resealed(b, 104, 1) })},
	{"an earlier boot", "made before this machine's last boot", file(func(b []byte) []byte { return resealed(b, 152, 1, 2, 3) })},
	{"a truncated ring", "was truncated or extended", file(func(b []byte) []byte { return b[:len(b)-4096] })},
	{"an extended ring", "was truncated or extended", file(func(b []byte) []byte { return append(b, 0) })},
	{"a wrong state word", "its state word is 9", file(func(b []byte) []byte { b[layout.ControlOff+4*layout.Line] = 9; return b })},
	{"a directory", "directory, a ring is a regular file", func(path string, _ []byte) error { return os.Mkdir(path, 0o700) }},
	{"a FIFO", "a FIFO|is no ring|a ring is a regular file", func(path string, _ []byte) error { return unix.Mkfifo(path, 0o600) }},
	{"a dangling link", "symbolic link", func(path string, _ []byte) error { return os.Symlink("none", path) }},
	{"a link to a ring", "symbolic link", func(path string, ring []byte) error {
		return errors.Join(os.WriteFile(path+".good", ring, 0o600), os.Symlink(path+".good", path))
	}},
	{"a socket", "socket or a device", func(path string, _ []byte) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			l.SetUnlinkOnClose(false)
			err = l.Close()
		}
		return err
	}},
}

func TestPlanted(t *testing.T) {
	good, err := os.ReadFile(newRing(t, "--cap", "4KiB"))
	if err != nil {
		t.Fatal(err)
	}
	for _, plant := range plants {
		t.Run(plant.what, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "r.ring")
			if err := plant.put(path, append([]byte(nil), good...)); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			for _, verb := range []string{"stat", "stat --watch 10ms", "tail", "check", "send", "send --raw", "recv", "shutdown", "reap"} {
				args := strings.Fields(verb)
				a := call(t, "x\n", append([]string{args[0], path}, args[1:]...)...)
				says := plant.says
				if verb == "check" && a.stdout != "" {
					says = "is broken: header"
					a.matches(t, verb, `^header +BROKEN .*(`+plant.says+")")
				} else if a.stdout != "" {
					t.Errorf("%s: standard output %q", verb, a.stdout)
				}
				a.want(t, verb, exitFailed, says)
			}
			if plant.what != "nothing" {
				call(t, "", "create", path).want(t, "create", exitFailed, "the name is taken")
				call(t, "x\n", "send", path, "--create").want(t, "send --create", exitFailed, plant.says)
			}
			call(t, "", "ls", dir).want(t, "ls", 0, "^(no rings in .*\n)?$")
			if after := listing(t, dir); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
		})
	}
}

// rm removes what begins like a ring, however damaged, and nothing else.
func TestRemovePlanted(t *testing.T) {
	good, err := os.ReadFile(newRing(t, "--cap", "4KiB"))
	if err != nil {
		t.Fatal(err)
	}
	for _, plant := range plants {
		dir := t.TempDir()
		path := filepath.Join(dir, "r.ring")
		if err := plant.put(path, append([]byte(nil), good...)); err != nil {
			t.Fatal(err)
		}
		before := listing(t, dir)
		a := call(t, "", "rm", path)
		info, err := os.Lstat(path)
		if err == nil && info.Mode().IsRegular() && strings.HasPrefix(plantedText(path), "IRNGWAY") {
			t.Errorf("%s: not removed: %v", plant.what, a)
		}
		if a.status == exitFailed {
			oneErrorLine(t, plant.what, a.stderr)
			if after := listing(t, dir); after != before {
				t.Errorf("%s: rm failed and left\n%s", plant.what, after)
			}
		}
	}
	// A damaged ring that is in use is refused as well: the locks do not depend on its header.
	path := newRing(t)
	r := start(t, ringway(t, "recv", path))
	eventually(t, "recv sits", func() bool { return strings.Contains(call(t, "", "stat", path).stdout, "consumer") })
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff}, 252); err != nil {
		t.Fatal(err)
	}
	call(t, "", "rm", path).want(t, "rm of a damaged ring in use", exitFailed, "still in use")
	call(t, "", "rm", path, "--force").ok(t, "rm --force")
	signalTo(t, r, os.Interrupt)
	finish(t, r).ok(t, "recv")
}

func plantedText(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

func TestWrongRing(t *testing.T) {
	mpmc := newRing(t, "--kind", "mpmc", "--slots", "8")
	for _, verb := range []string{"stat", "tail", "check", "reap", "shutdown", "rm"} {
		call(t, "", verb, mpmc).ok(t, verb+" of mpmc")
	}
	fixed := newRing(t, "--payload", "fixed", "--elem", "8", "--slots", "64")
	for _, elem := range []string{"16", "4"} {
		call(t, "", "send", fixed, "--create", "--payload", "fixed", "--elem", elem, "--slots", "64").
			want(t, "another element", exitFailed, `the ring is spsc fixed, 64 slots of 8 bytes of type [0-9a-f]+, wanted .*slots of `+elem+" bytes")
	}
	dir := t.TempDir()
	for path, says := range map[string]string{
		filepath.Join(dir, "none", "r"):                     "directory .*/none does not exist; create it",
		filepath.Join(dir, "file", "r"):                     "is not a directory",
		filepath.Join("/proc", "r"):                         ".",
		filepath.Join(dir, strings.Repeat("d/", 3000), "r"): "name too long",
	} {
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		call(t, "", "create", path).want(t, "create "+path, exitFailed, says)
		call(t, "", "stat", path).want(t, "stat "+path, exitFailed, ".")
	}
}

// Who may not use a ring, or not write where it should be, is told who may.
func TestNoPermission(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as somebody else")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "ringway-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary, path := filepath.Join(dir, "ringway"), filepath.Join(dir, "r.ring")
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	call(t, "", "create", path, "--cap", "4KiB").ok(t, "create")
	as := func(args ...string) answer {
		cmd := ringway(t, args...)
		cmd.Path = binary
		cmd.Dir = "/"
		cmd.Stdin = strings.NewReader("x\n")
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		return finish(t, start(t, cmd))
	}
	before := listing(t, dir)
	for _, verb := range []string{"stat", "tail", "check", "send", "recv", "shutdown", "reap", "rm"} {
		as(verb, path).want(t, verb, exitFailed, "belongs to uid 0 with mode 0600, we are uid 65534")
	}
	as("ls", dir).ok(t, "ls").matches(t, "ls", `r.ring +.*unusable(.|\n)*belongs to uid 0`)
	as("create", filepath.Join(dir, "new")).want(t, "create", exitFailed, "uid 65534 may not create files in")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"stat", "tail", "check"} {
		as(verb, path).ok(t, verb+", read-only")
	}
	for _, verb := range []string{"send", "recv", "shutdown", "reap"} {
		as(verb, path).want(t, verb+", read-only", exitFailed, "belongs to uid 0 with mode 0644")
	}
	as("rm", path).want(t, "rm", exitFailed, "permission denied")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	// A ring that somebody else put there is not taken for ours.
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	call(t, "x\n", "send", path, "--create", "--cap", "4KiB").want(t, "send --create", exitFailed, "belongs to uid 65534, not to us")
}

// A file system without room is an error at create, never a fault later.
func TestNoRoom(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skip("cannot mount a small file system here:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "r")
	says := `the ring needs 16\.0 MiB and .* has 4\.0 MiB free of 4\.0 MiB; choose a smaller capacity`
	call(t, "", "create", path, "--cap", "16MiB").want(t, "create", exitFailed, says)
	call(t, "x\n", "send", path, "--create", "--cap", "16MiB").want(t, "send --create", exitFailed, says)
	if left := listing(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
	call(t, "", "create", path, "--cap", "1MiB").ok(t, "create of what fits")
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 4<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	before := listing(t, dir)
	call(t, "", "create", path+"2", "--cap", "4KiB").want(t, "create on a full disk", exitFailed, `has 0\.0 MiB free|has no room`)
	if after := listing(t, dir); after != before {
		t.Errorf("left behind: %s", after)
	}
	input := randomBytes(t, 3_000_000) // the ring's blocks are its own already
	if got := through(t, path, input, "--raw"); string(got) != string(input) {
		t.Error("a full disk changes a ring that was there before")
	}
}

// The same where rings live by name: a container's /dev/shm is often 64 MB.
func TestSmallShm(t *testing.T) {
	cmd := ringway(t, "create", "big", "--cap", "16MiB")
	cmd.Env = append(cmd.Env, smallShm+"=4m")
	cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
	var exit *exec.ExitError
	if err := exec.Command("unshare", "-m", "true").Run(); errors.As(err, &exit) || os.Geteuid() != 0 {
		t.Skip("cannot make a mount namespace here:", err)
	}
	a := finish(t, start(t, cmd))
	if a.status == 99 {
		t.Skip("cannot mount in a namespace here:", a.stderr)
	}
	a.want(t, "create", exitFailed, `the ring needs 16\.0 MiB and /dev/shm has 4\.0 MiB free of 4\.0 MiB; .*docker --shm-size`)
	a.matches(t, "create", "^left behind: 0 <nil>\n$")
}
