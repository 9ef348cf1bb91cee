//go:build linux

package shm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/shm"
)

func init() {
	child.Register("small-disk", smallDisk)
}

// A file system that is too small is an error at creation, which says how much is
// missing and what to do; afterwards nothing of the attempt is left, and what
// fits is made.
func TestNoSpace(t *testing.T) {
	cmd := child.Command("small-disk", t.TempDir())
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS // mounts of the child's own
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	if err := probe(cmd.SysProcAttr); err != nil {
		t.Skip("this sandbox gives no private mount namespace:", err)
	}
	p := child.StartCmd(t, cmd)
	for range 2 { // with O_TMPFILE, then without
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if reason, ok := strings.CutPrefix(line, "cannot mount: "); ok {
			t.Skip("this sandbox lets nobody mount a tmpfs:", reason)
		}
		for _, says := range []string{
			"true", "the ring needs 1.0 MiB and ", " has 0.2 MiB free of 0.2 MiB; ",
			"choose a smaller capacity or another directory, or enlarge it (docker --shm-size, mount -o remount,size=): no space left on device",
		} {
			if !strings.Contains(line, says) {
				t.Errorf("%q does not say %q", line, says)
			}
		}
		p.Expect("left: [] used: 0")
	}
	p.Expect("small: <nil> [r] used: 16384")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// probe finds out whether a child may have these attributes at all.
func probe(attr *syscall.SysProcAttr) error {
	cmd := child.Command("no-op")
	cmd.SysProcAttr = attr
	if err := child.Launch(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

func init() { child.Register("no-op", func([]string) {}) }

// smallDisk mounts a tmpfs of 256 KiB and makes a ring of 1 MiB on it, in both ways
// that rings are made, then one of 16 KiB.
func smallDisk(args []string) {
	dir := filepath.Join(args[0], "small")
	if err := errors.Join(
		os.Mkdir(dir, 0o700),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"),
	); err != nil {
		fmt.Println("cannot mount:", err)
		return
	}
	path := filepath.Join(dir, "r")
	large := layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 1 << 20, Seats: 2}
	for _, prepare := range []func() error{func() error { return nil }, denyTmpfile} {
		if err := prepare(); err != nil {
			panic(err)
		}
		_, err := shm.Create(path, large, 0o600)
		fmt.Println(errors.Is(err, unix.ENOSPC), err)
		fmt.Println("left:", list(dir), "used:", used(dir))
	}
	s, err := shm.Create(path, spec, 0o600)
	fmt.Println("small:", err, list(dir), "used:", used(dir))
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
}

func list(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func used(dir string) uint64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		panic(err)
	}
	return (st.Blocks - st.Bfree) * uint64(st.Bsize)
}
