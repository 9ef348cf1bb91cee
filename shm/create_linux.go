package shm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// create builds the segment without a name and links it last, so that the path
// shows all of it or nothing, and a creator that dies leaves nothing behind.
func create(path string, g layout.Geometry, perm fs.FileMode, o *Options) (s *Segment, err error) {
	if key, ok := sysvKey(path); ok {
		s, err = createSysV(path, key, g, perm, o)
	} else {
		s, err = build(path, g, perm, o)
	}
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return s, nil
}

// permits refuses permission bits that no segment can have.
func permits(perm fs.FileMode) error {
	if perm&^fs.ModePerm != 0 {
		return fmt.Errorf("permission %v has more than the nine rwx bits", perm)
	}
	if perm&0o600 != 0o600 {
		return fmt.Errorf("permission %04o keeps the owner out; it needs at least 0600", perm)
	}
	return nil
}

func build(path string, g layout.Geometry, perm fs.FileMode, o *Options) (*Segment, error) {
	if err := permits(perm); err != nil {
		return nil, err
	}
	if err := vacant(path); err != nil {
		return nil, err // before reserving what may be gigabytes
	}
	dir := filepath.Dir(path)
	fd, err := openRetry(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	temp := ""
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL):
		// This file system has no nameless files: use a hidden name.
		temp = filepath.Join(dir, "."+filepath.Base(path)+"."+rand.Text()[:8]+".tmp")
		fd, err = openRetry(temp, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return nil, explainDir(dir, err)
	}
	if temp != "" {
		defer unix.Unlink(temp)
	}
	f := os.NewFile(uintptr(fd), path)
	s, err := fill(f, path, dir, g, perm, o)
	if err == nil {
		if err = publish(fd, temp, path); err == nil {
			return s, nil
		}
		s.discard()
		return nil, err
	}
	_ = f.Close() // the error that matters is err
	return nil, err
}

// fill reserves, maps and formats the file, and attaches to it: nobody may ever see it under
// its name without a user. The ready word is the last store.
func fill(f *os.File, path, dir string, g layout.Geometry, perm fs.FileMode, o *Options) (*Segment, error) {
	if err := smallPages(f); err != nil {
		return nil, err
	}
	if err := unix.Fchmod(int(f.Fd()), uint32(perm)); err != nil {
		return nil, fmt.Errorf("set its mode: %w", err)
	}
	if err := reserve(f, dir, g.FileSize); err != nil {
		return nil, err
	}
	s := &Segment{path: path, abs: absolute(path), file: f, anchor: f, header: layout.Header{Geometry: g, Origin: newOrigin()}}
	if err := s.mapFile(); err != nil {
		return nil, err
	}
	err := s.prepare(o)
	if err == nil {
		s.header.Format(s.mem)
		err = s.join(o, false)
	}
	if err != nil {
		_ = s.unmap() // the error that matters is err
		return nil, err
	}
	atomic.StoreUint64(layout.ReadyAt(s.mem), layout.Ready) // publishes the format; the link below publishes the file
	return s, nil
}

// piece is what reserve asks for at a time: some kernels undo what a signal interrupts,
// so a large request could be begun again for ever.
const piece = 16 << 20

// reserve allocates every block of the file: touching a hole in a full file
// system would be a fault, here it is an error.
func reserve(f *os.File, dir string, size int64) error {
	for at := int64(0); at < size; {
		err := unix.Fallocate(int(f.Fd()), 0, at, min(piece, size-at))
		switch {
		case err == nil:
			at += piece
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EFBIG):
			return noSpace(dir, size, err)
		case errors.Is(err, unix.EOPNOTSUPP):
			return writeZeros(f, dir, size)
		}
		return fmt.Errorf("reserve %d bytes: %w", size, err)
	}
	return nil
}

func writeZeros(f *os.File, dir string, size int64) error {
	zero := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zero)) {
		if _, err := f.WriteAt(zero[:min(int64(len(zero)), size-at)], at); err != nil {
			return noSpace(dir, size, err)
		}
	}
	return nil
}

func noSpace(dir string, size int64, err error) error {
	free, total := "unknown", "unknown"
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil {
		free = mebibytes(st.Bavail * uint64(st.Bsize))
		total = mebibytes(st.Blocks * uint64(st.Bsize))
	}
	return fmt.Errorf("the ring needs %s and %s has %s free of %s; choose a smaller capacity or another directory, or enlarge it (docker --shm-size, mount -o remount,size=): %w",
		mebibytes(uint64(size)), dir, free, total, err)
}

// publish gives the finished file its name; it never replaces one.
func publish(fd int, temp, path string) error {
	old := temp
	flags := 0
	if temp == "" {
		old, flags = fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_SYMLINK_FOLLOW
	}
	err := unix.Linkat(unix.AT_FDCWD, old, unix.AT_FDCWD, path, flags)
	if errors.Is(err, unix.EEXIST) {
		return taken(path)
	}
	if err != nil {
		return fmt.Errorf("give it its name: %w", err)
	}
	return nil
}

func vacant(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err == nil && !clearAway(path) {
		return taken(path)
	}
	return nil // whatever else is wrong with the path, opening its directory says
}

func taken(path string) error {
	return fmt.Errorf("the name is taken (by %s); open it, remove it, or use another name: %w", describePath(path), fs.ErrExist)
}

func describePath(path string) string {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "something that is gone again"
	case info.Mode()&fs.ModeSymlink != 0:
		return "a symbolic link"
	case !info.Mode().IsRegular():
		return "a " + fileKind(info.Mode())
	}
	return fmt.Sprintf("a file of %d bytes", info.Size())
}

func explainDir(dir string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("the directory %s does not exist; create it or use another path: %w", dir, err)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%s is not a directory: %w", dir, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("uid %d may not create files in %s; use another directory: %w", os.Geteuid(), dir, err)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%s is mounted read-only; use another directory: %w", dir, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%s has no room for another file: %w", dir, err)
	}
	return err
}

func createTemp(g layout.Geometry, o *Options) (*Segment, error) {
	const name = "ringway"
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL) // vm.memfd_noexec=2 insists on it
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, flags) // before Linux 6.3
	}
	if err != nil {
		return nil, fmt.Errorf("create temporary segment: memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memfd:"+name)
	s, err := fill(f, f.Name(), Dir, g, 0o600, o)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
		if err == nil {
			return s, nil
		}
		s.discard()
	} else {
		_ = f.Close() // the error that matters is err
	}
	return nil, fmt.Errorf("create temporary segment: %w", err)
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
