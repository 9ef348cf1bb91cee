package futex

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func supported() error { return nil }

// mapping is one line of /proc/self/maps.
type mapping struct {
	begin, end uintptr
	perms      string
	file       string // device and inode, "00:00 0" if there is no file
	path       string
}

// mappings lists what is mapped, in order.
func mappings() ([]mapping, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, fmt.Errorf("futex: what a lock's memory is cannot be found out without /proc: %w", err)
	}
	defer f.Close()
	var all []mapping
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return all, lines.Err()
		}
		// begin-end perms offset device inode path
		fields := strings.SplitN(lines.Text(), " ", 6)
		if len(fields) < 6 {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		begin, err := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err != nil || err2 != nil {
			continue
		}
		all = append(all, mapping{uintptr(begin), uintptr(end), fields[1], fields[3] + " " + fields[4], strings.TrimLeft(fields[5], " ")})
	}
}

// discover finds out what is mapped at an address that nobody announced.
func discover(at, size uintptr) (*region, error) {
	forgetUnmapped()
	all, err := mappings()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(m mapping) bool { return m.begin <= at && at < m.end })
	if i < 0 {
		return nil, errUnmapped
	}
	m := all[i]
	for i++; at+size > m.end; i++ { // as where initialised and zero data of a program meet
		if i == len(all) || all[i].begin != m.end || all[i].perms != m.perms || m.shared() && all[i].file != m.file {
			return nil, fmt.Errorf("futex: the lock lies across the end of a mapping: %w", ErrFault)
		}
		m.end = all[i].end
	}
	if !strings.HasPrefix(m.perms, "rw") {
		return nil, fmt.Errorf("futex: a lock in memory that cannot be written (mapped %s): map it for writing: %w", m.perms, ErrFault)
	}
	var own *identity
	if m.shared() {
		own, err = ofMapping(m)
	} else {
		own, err = private()
	}
	if err != nil {
		return nil, err
	}
	return &region{begin: m.begin, size: m.end - m.begin, own: own}, nil
}

// shared reports whether other processes may see the memory. Anonymous shared memory is
// only for children by fork, which Go does not have.
func (m *mapping) shared() bool {
	return strings.HasSuffix(m.perms, "s") && !strings.HasPrefix(m.path, "/dev/zero")
}

// private is our identity where nobody else can look.
func private() (*identity, error) {
	if regions.private == nil {
		id, err := newID()
		if err != nil {
			return nil, err
		}
		regions.private = &identity{id: id, home: privateHome}
	}
	return regions.private, nil
}

// forgetUnmapped gives up identities in files of which nothing is mapped any more. They leave the
// table first: whoever maps such a file again after we looked finds nothing and begins anew, and
// whoever did before is seen.
func forgetUnmapped() {
	found := func(r *region) bool { return r.from == nil && r.own.file != nil }
	before := regions.all
	regions.all = slices.DeleteFunc(slices.Clone(before), found)
	forgetRecent()
	all, err := mappings()
	gone := func(own *identity) bool {
		return err == nil && !slices.ContainsFunc(all, func(m mapping) bool { return m.file == own.mapped })
	}
	for _, r := range before {
		if found(r) && !gone(r.own) {
			regions.all = append(regions.all, r)
		}
	}
	regions.files = slices.DeleteFunc(regions.files, func(own *identity) bool {
		if !gone(own) {
			return false
		}
		_ = own.close() // a description that cannot be closed only keeps a file alive
		return true
	})
}

// mappedName is how a file is called in the list of mappings. What fstat says of it
// differs from that on some file systems, so ask the list.
func mappedName(fd int) (string, error) {
	page, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_SHARED)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Munmap(page) }() // it was just mapped
	all, err := mappings()
	if err != nil {
		return "", err
	}
	at := addressOf(page)
	for _, m := range all {
		if m.begin <= at && at < m.end {
			return m.file, nil
		}
	}
	return "", errUnmapped
}

// ofMapping opens the file behind a mapping, or finds that we have it open for another one.
func ofMapping(m mapping) (*identity, error) {
	for _, own := range regions.files {
		if own.mapped == m.file {
			return own, nil
		}
	}
	own, err := ifMapped(fmt.Sprintf("/proc/self/map_files/%x-%x", m.begin, m.end), m.file)
	if !errors.Is(err, errNoFile) {
		return own, err
	}
	open, err := os.ReadDir("/proc/self/fd")
	for _, e := range open {
		if err != nil || !isOpen(e.Name(), m.file) {
			continue
		}
		if own, err := ifMapped("/proc/self/fd/"+e.Name(), m.file); !errors.Is(err, errNoFile) {
			return own, err
		}
	}
	return ifMapped(m.path, m.file)
}

// isOpen reports whether a descriptor of the program's is the file that is mapped. It is asked
// as it is: to open and close a file would drop all fcntl locks that the program has there.
func isOpen(name, file string) bool {
	fd, err := strconv.Atoi(name)
	if err != nil {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	got, err := mappedName(fd)
	return err == nil && got == file
}

// ifMapped makes an identity in the file called name if that is the one that is mapped.
func ifMapped(name, file string) (*identity, error) {
	var st unix.Stat_t
	if unix.Stat(name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errNoFile
	}
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, errNoFile
	}
	defer f.Close()
	if got, err := mappedName(int(f.Fd())); err != nil || got != file {
		return nil, errNoFile
	}
	own, err := identify(f)
	if err == nil {
		own.mapped = file
		regions.files = append(regions.files, own)
	}
	return own, err
}

// identify takes a number in f and the lock that proves it. It does not keep f.
func identify(f *os.File) (*identity, error) {
	own, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
	runtime.KeepAlive(f) // or its finalizer may close the descriptor before it is opened again
	if err != nil {
		return nil, fmt.Errorf("futex: open a lock's file for its owner's lock: %w", err)
	}
	o := &identity{file: own}
	if err := o.settle(f); err != nil {
		_ = own.Close() // the error that matters is err
		return nil, err
	}
	return o, nil
}

func (o *identity) settle(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(o.file.Fd()), &st); err != nil {
		return fmt.Errorf("futex: look at a lock's file: %w", err)
	}
	o.home = mix(mix(st.Dev)^st.Ino) | privateHome<<1
	for {
		id, err := newID()
		if err != nil {
			return err
		}
		l := unix.Flock_t{Type: unix.F_WRLCK, Start: lockBase + int64(id), Len: 1}
		err = unix.FcntlFlock(o.file.Fd(), unix.F_OFD_SETLK, &l)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			continue // somebody has drawn the same number
		}
		if err != nil {
			return fmt.Errorf("futex: lock the owner's byte of %s: %w", o.file.Name(), err)
		}
		o.id = id
		seen, err := lockHeld(f, l.Start)
		if err == nil && !seen {
			err = errors.New("futex: this file system does not support open file description locks; put the file in /dev/shm or on a local disk")
		}
		return err
	}
}

// lockHeld reports whether another description has the lock on a byte.
func lockHeld(f *os.File, at int64) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("futex: ask for an owner's lock: %w", err)
	}
	return l.Type != unix.F_UNLCK, nil
}

// newID draws an owner number; part of it must stand in the futex word, so that is not zero.
func newID() (uint64, error) {
	var b [8]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("futex: draw an owner number: %w", err)
		}
		if id := binary.LittleEndian.Uint64(b[:]) & idMask; id&lowIDMask != 0 {
			return id, nil
		}
	}
}
