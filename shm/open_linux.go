package shm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"ringway/futex"
	"ringway/layout"
)

func platform() error { return nil }

// open maps the segment that path names. One that vanishes under our hands is looked for
// again, like one that a marked segment's last user is just removing.
func open(path string, readOnly bool, o *Options) (s *Segment, err error) {
	const tries = 100 // somebody may create and remove it in a loop
	key, isKey := sysvKey(path)
	for range tries {
		if isKey {
			s, err = openSysV(path, key, readOnly, o)
		} else {
			s, err = openPath(path, readOnly, o)
		}
		if !errors.Is(err, errGone) {
			break
		}
	}
	if errors.Is(err, errAbandoned) {
		err = fmt.Errorf("there was such a ring, but %w: it is removed now; create it again: %w", err, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

func openPath(path string, readOnly bool, o *Options) (*Segment, error) {
	flags := unix.O_RDWR
	if readOnly {
		flags = unix.O_RDONLY
	}
	// O_NONBLOCK: a FIFO in the way must not hold us up. Never O_CREAT.
	fd, err := openRetry(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	s, err := adopt(f, path, readOnly)
	if err != nil {
		_ = f.Close() // the error that matters is err
		return nil, err
	}
	err = s.prepare(o)
	if err == nil && !readOnly {
		err = s.join(o, true)
	}
	if err == nil {
		return s, nil
	}
	if errors.Is(err, errAbandoned) {
		err = errors.Join(err, s.removeLast())
	}
	s.discard()
	return nil, err
}

// join attaches us, and marks the segment if that is wanted.
func (s *Segment) join(o *Options, named bool) (err error) {
	defer Guard(&err)()
	if err := s.attach(o.name(), named); err != nil {
		return err
	}
	if o.removeOnLast() {
		s.Control().Destroy.Store(1) // publishes the mark; pairs with the look at it in leave
	}
	return nil
}

// discard gives up a segment that was not handed out. No error matters any more.
func (s *Segment) discard() {
	if s.mem != nil {
		_ = s.unmap()
	}
	for _, f := range []*os.File{s.locks, s.anchor} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// absolute is path for later, when this process may have changed its directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func openFile(f *os.File, o *Options) (*Segment, error) {
	name := f.Name()
	own, err := reopen(f, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	s, err := adopt(own, name, false)
	if err != nil {
		_ = own.Close() // the error that matters is err
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	err = s.prepare(o)
	if err == nil {
		err = s.join(o, false)
	}
	if err != nil {
		s.discard()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return s, nil
}

// adopt checks the file in f and maps it. On success the segment owns f.
func adopt(f *os.File, path string, readOnly bool) (*Segment, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is a %s, a ring is a regular file; use another name", ErrFormat, fileKind(info.Mode()))
	}
	if err := smallPages(f); err != nil {
		return nil, err
	}
	// Read, not mapped: a file that shrinks meanwhile is a short read and no fault.
	var page [layout.HeaderSize]byte
	n, err := f.ReadAt(page[:], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	header, err := layout.Validate(page[:n], info.Size())
	if err != nil {
		return nil, err
	}
	if boot := bootID(); header.Origin.Boot != boot && header.Origin.Boot != [16]byte{} && boot != [16]byte{} {
		return nil, fmt.Errorf("%w: it was made before this machine's last boot, so its contents cannot be trusted; remove it and create the ring again", ErrFormat)
	}
	s := &Segment{path: path, abs: absolute(path), header: header, readOnly: readOnly, file: f, anchor: f}
	if err := s.mapFile(); err != nil {
		return nil, err
	}
	if err := s.sane(); err != nil {
		_ = s.unmap() // the error that matters is err
		return nil, err
	}
	return s, nil
}

// sane looks at the mutable words once before the segment is handed out.
func (s *Segment) sane() (err error) {
	defer Guard(&err)()
	if st := s.Control().State.Load(); st < layout.StateOpen || st > layout.StateCorrupt { // observes: whoever changed it last
		return fmt.Errorf("%w: its state word is %d; it is damaged, remove it and create the ring again", ErrFormat, st)
	}
	return nil
}

func (s *Segment) mapFile() error {
	prot := mmap.RDWR
	if s.readOnly {
		prot = mmap.RDONLY
	}
	m, err := mmap.MapRegion(s.file, int(s.header.Geometry.FileSize), prot, 0, 0)
	if err != nil {
		return fmt.Errorf("map %d bytes: %w", s.header.Geometry.FileSize, err)
	}
	s.mapped(m)
	return nil
}

// mapped notes where the segment lies: for Guard, and for locks in it.
func (s *Segment) mapped(mem []byte) {
	s.mem = mem
	noteMapping(address(mem), len(mem))
	if s.anchor != nil && !s.readOnly {
		s.owner = futex.Attach(mem, s.anchor)
	}
}

// unmap takes the whole slice that mmap-go returned, as its Unmap requires.
func (s *Segment) unmap() error {
	m := mmap.MMap(s.mem)
	forgetMapping(address(m))
	s.mem = nil
	unmap := m.Unmap
	if s.sysv != nil {
		unmap = func() error { return unix.SysvShmDetach(m) }
	}
	if s.owner == nil {
		return unmap()
	}
	return s.owner.DetachBy(unmap) // after the mapping what we hold passes to others
}

// release leaves, unmaps and drops the other locks last: a seat's lock that is free means that
// its owner cannot store any more.
func (s *Segment) release() error {
	if s.anchor == nil {
		s.mem = nil
		return nil
	}
	err := s.leave()
	err = errors.Join(err, s.unmap())
	if s.locks != nil {
		err = errors.Join(err, s.locks.Close())
	}
	return errors.Join(err, s.anchor.Close())
}

func (s *Segment) ownedByUs() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(s.anchor.Fd()), &st); err != nil {
		return fmt.Errorf("open %s: %w", s.path, err)
	}
	if uid := uint32(os.Geteuid()); st.Uid != uid && st.Uid != 0 {
		return fmt.Errorf("open %s: %w: it belongs to uid %d, not to us (uid %d); use Open if that is meant, or another name",
			s.path, fs.ErrPermission, st.Uid, uid)
	}
	return nil
}

func openRetry(path string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Open(path, flags, perm)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// explainOpen adds to the kernel's answer what a person can do about it.
func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT) && Path(path) != path:
		return fmt.Errorf("there is no such ring; create it first, or write shm.Path(%q) if that is its name: %w", path, err)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("there is no such ring; create it first: %w", err)
	case errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: it is a symbolic link, which is never followed; name the ring itself", ErrFormat)
	case errors.Is(err, unix.EISDIR):
		return fmt.Errorf("%w: it is a directory, a ring is a regular file; use another name", ErrFormat)
	case errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: it is a socket or a device, a ring is a regular file; use another name", ErrFormat)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil {
			return fmt.Errorf("a directory above it is closed to uid %d: %w", os.Geteuid(), err)
		}
		return fmt.Errorf("it belongs to uid %d with mode %04o, we are uid %d; ask its owner, or create it with a wider --perm: %w",
			st.Uid, st.Mode&0o7777, os.Geteuid(), err)
	}
	return err
}

func fileKind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "FIFO"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
