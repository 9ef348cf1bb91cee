package shm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ringway/futex"
	"ringway/layout"
)

// A segment in System V shared memory. Everything that needs a file, its locks above all, is
// on a lock file: see sysvlocks_linux.go.

// sysv is what a segment needs that is no file.
type sysv struct {
	key, id  int
	lockPath string
}

const (
	shmDest  = 0o1000 // of a segment's mode: it was removed and goes with its last user
	idOff    = 136    // of the random id in a header
	readyOff = 256
)

var errNoKey = fmt.Errorf("%w: a System V segment is named %sKEY, KEY from 1 to 0xffffffff, as in %s0x1234", ErrSpec, SysVPrefix, SysVPrefix)

// creating is how long a creator may take, from the key to the ready word.
const creating = 5 * time.Second

var errHalf = fmt.Errorf("%w: it was never finished, its creator died", ErrFormat)

func createSysV(path string, key int, g layout.Geometry, perm fs.FileMode, o *Options) (*Segment, error) {
	if key == 0 {
		return nil, errNoKey
	}
	if err := permits(perm); err != nil {
		return nil, err
	}
	id, err := unix.SysvShmGet(key, int(g.FileSize), unix.IPC_CREAT|unix.IPC_EXCL|int(perm.Perm()))
	if errors.Is(err, unix.EEXIST) && clearSysV(key) {
		id, err = unix.SysvShmGet(key, int(g.FileSize), unix.IPC_CREAT|unix.IPC_EXCL|int(perm.Perm()))
	}
	if err != nil {
		return nil, explainGet(g.FileSize, err)
	}
	s := &Segment{path: path, header: layout.Header{Geometry: g, Origin: newOrigin()}}
	s.sysv = &sysv{key: key, id: id, lockPath: lockPathOf(key, s.header.Origin.ID[:])}
	err = s.buildSysV(perm, o)
	if err == nil {
		return s, nil
	}
	_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // the error that matters is err
	if s.anchor != nil {
		_ = unix.Unlink(s.sysv.lockPath)
	}
	s.discard()
	return nil, err
}

// buildSysV formats a new segment. Others see it already, but not its ready word. The
// header comes first: from it, whoever clears away what we leave if we are killed knows
// the lock file.
func (s *Segment) buildSysV(perm fs.FileMode, o *Options) error {
	mem, err := unix.SysvShmAttach(s.sysv.id, 0, 0)
	if err != nil {
		return fmt.Errorf("shmat: %w", err)
	}
	s.mapped(mem)
	s.header.Encode(mem)
	fd, err := openRetry(s.sysv.lockPath, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("make its lock file: %w", explainDir(Dir, err))
	}
	s.anchor = os.NewFile(uintptr(fd), s.sysv.lockPath)
	s.owner = futex.Attach(mem, s.anchor)
	if err := unix.Fchmod(fd, uint32(perm)); err != nil {
		return fmt.Errorf("set the mode of its lock file: %w", err)
	}
	for at := 0; at < len(mem); at += layout.Page {
		mem[at] |= 0 // a store makes the page ours now; later there may be no memory
	}
	if err := s.prepare(o); err != nil {
		return err
	}
	s.header.Format(mem)
	if err := s.join(o, false); err != nil {
		return err
	}
	sweepLocks(s.sysv.key, s.sysv.lockPath)
	atomic.StoreUint64(layout.ReadyAt(mem), layout.Ready) // publishes the segment; pairs with the load in whole
	return nil
}

func openSysV(path string, key int, readOnly bool, o *Options) (*Segment, error) {
	if key == 0 {
		return nil, errNoKey
	}
	id, err := unix.SysvShmGet(key, 0, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("there is no such ring; create it first: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("shmget: %w", err)
	}
	s := &Segment{path: path, readOnly: readOnly, sysv: &sysv{key: key, id: id}}
	if err = s.mapSysV(o); err == nil {
		return s, nil
	}
	if errors.Is(err, errAbandoned) {
		err = errors.Join(err, s.removeLast())
	}
	s.discard()
	if errors.Is(err, errHalf) && !readOnly {
		switch e := removeID(key, id); {
		case e == nil:
			err = fmt.Errorf("%w: what there was is removed now; create it: %w", errHalf, fs.ErrNotExist)
		case errors.Is(e, errGone):
			err = e
		}
	}
	return nil, err
}

func (s *Segment) mapSysV(o *Options) error {
	flags := 0
	if s.readOnly {
		flags = unix.SHM_RDONLY
	}
	st, err := s.sysv.stat()
	if err == nil {
		s.mem, err = unix.SysvShmAttach(s.sysv.id, 0, flags)
	}
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("uid %d may not use it (ipcs -m shows whose it is); ask its owner, or create it with a wider --perm: %w", os.Geteuid(), err)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EIDRM):
		return errGone
	case err != nil:
		return fmt.Errorf("shmat: %w", err)
	}
	s.mapped(s.mem)
	page, err := whole(s.mem, st)
	if err != nil {
		return err
	}
	if s.header, err = layout.Validate(page, int64(st.Segsz)); err != nil {
		return err
	}
	s.sysv.lockPath = lockPathOf(s.sysv.key, s.header.Origin.ID[:])
	if s.anchor, err = openLocks(s.sysv.lockPath, st, s.readOnly); err != nil {
		return err
	}
	if !s.readOnly {
		s.owner = futex.Attach(s.mem, s.anchor)
	}
	if err := s.sane(); err != nil {
		return err
	}
	if err := s.prepare(o); err != nil || s.readOnly {
		return err
	}
	return s.join(o, true)
}

// whole returns a private copy of the first page, once the creator, if it is at work,
// has finished it. errHalf means that it never will.
func whole(mem []byte, st *unix.SysvShmDesc) ([]byte, error) {
	if len(mem) < layout.HeaderSize+layout.Page {
		return bytes.Clone(mem), nil // Validate says what it is
	}
	foreign := false
	for end := time.Now().Add(creating); ; time.Sleep(attachPause) {
		dead := gone(st.Cpid) // before the look: what it has not written by now it never will
		// observes: the creator's last store, hence the whole format.
		ready := atomic.LoadUint64(layout.ReadyAt(mem)) == layout.Ready
		page := bytes.Clone(mem[:layout.HeaderSize])
		switch {
		case ready || foreign && !layout.HasMagic(page):
			return page, nil
		case !layout.HasMagic(page) && !zero(page):
			foreign = true // unless we copied it while the header was written, whose magic comes first: look again
		case dead:
			return nil, errHalf
		case time.Now().After(end):
			return nil, fmt.Errorf("%w: pid %d makes it and does not get on with it; end that, remove the ring and create it again", ErrFormat, st.Cpid)
		}
	}
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// gone reports whether a process certainly does not exist. 0 is one of a PID namespace that
// we cannot see.
func gone(pid int32) bool { return pid > 0 && errors.Is(unix.Kill(int(pid), 0), unix.ESRCH) }

func (v *sysv) stat() (*unix.SysvShmDesc, error) {
	st := new(unix.SysvShmDesc)
	_, err := unix.SysvShmCtl(v.id, unix.IPC_STAT, st)
	return st, err
}

// exists reports whether the key still leads to the segment.
func (v *sysv) exists() bool {
	st, err := v.stat()
	return err == nil && st.Perm.Mode&shmDest == 0
}

// remove removes the segment, which we still have mapped: so its number cannot have passed
// to another one.
func (v *sysv) remove(locks *os.File) error {
	if _, err := unix.SysvShmCtl(v.id, unix.IPC_RMID, nil); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EIDRM) {
		return fmt.Errorf("shmctl IPC_RMID: %w", err)
	}
	_, err := unlinkSame(locks, v.lockPath)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errRemoving) {
		return nil
	}
	return err
}

// kernelCount is nattch.
func (s *Segment) kernelCount() (int, error) {
	if s.sysv == nil {
		return -1, nil
	}
	st, err := s.sysv.stat()
	if err != nil {
		return -1, fmt.Errorf("look at %s: shmctl IPC_STAT: %w", s.path, err)
	}
	return int(st.Nattch), nil
}

func explainGet(size int64, err error) error {
	limit := func(name string) string {
		text, err := os.ReadFile("/proc/sys/kernel/" + name)
		if err != nil {
			return name + " unknown"
		}
		return name + " " + strings.TrimSpace(string(text))
	}
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("the key is taken; open it, remove it, or use another key: %w", fs.ErrExist)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("the kernel has no System V segment of %s for us (%s bytes, %s pages, %s segments in /proc/sys/kernel); choose a smaller capacity, remove what ipcs -m shows, or raise the limit: %w",
			mebibytes(uint64(size)), limit("shmmax"), limit("shmall"), limit("shmmni"), err)
	}
	return fmt.Errorf("shmget: %w", err)
}
