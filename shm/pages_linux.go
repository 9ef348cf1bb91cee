package shm

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// smallPages refuses files on a hugetlbfs: they grow to whole huge pages when they are mapped, so
// that their size says nothing, and cannot be written.
func smallPages(f *os.File) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err == nil && st.Type == unix.HUGETLBFS_MAGIC {
		return fmt.Errorf("it is on a hugetlbfs, where no ring can be; use a tmpfs that is mounted with huge=advise, and Options.HugePages: %w", errors.ErrUnsupported)
	}
	return nil // what else is wrong with it the next call says
}

// prepare does with a fresh mapping what the options ask for: huge pages first, then all that is
// missing, then the lock.
func (s *Segment) prepare(o *Options) (err error) {
	if o == nil {
		return nil
	}
	defer Guard(&err)()
	if o.HugePages {
		s.askForHuge()
	}
	if o.Prefault {
		if err := s.prefault(); err != nil {
			return err
		}
	}
	if o.Lock {
		return s.pin()
	}
	return nil
}

// askForHuge gets what huge pages the kernel gives. Advice alone comes too late: the file's pages are
// reserved already, and small; so they are collapsed into huge ones too.
func (s *Segment) askForHuge() {
	if unix.Madvise(s.mem, unix.MADV_HUGEPAGE) != nil {
		return // no huge pages in this kernel, or not for this file
	}
	for range 8 { // EAGAIN: some pages are just on their way between the kernel's lists
		if err := unix.Madvise(s.mem, unix.MADV_COLLAPSE); !errors.Is(err, unix.EAGAIN) {
			return
		}
	}
}

// prefault makes all pages present, writable if the segment is.
func (s *Segment) prefault() error {
	advice := unix.MADV_POPULATE_WRITE
	if s.readOnly {
		advice = unix.MADV_POPULATE_READ
	}
	for {
		err := unix.Madvise(s.mem, advice)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue // what is present already is passed over
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // before Linux 5.14
			touch(s.mem, !s.readOnly)
			return nil
		case errors.Is(err, unix.EFAULT):
			return fmt.Errorf("%w: its memory is gone, somebody truncated the file; remove it and create the ring again", ErrFormat)
		}
		return fmt.Errorf("prefault %s: %w", mebibytes(uint64(len(s.mem))), err)
	}
}

// pin locks the mapping in memory; unmapping it unlocks it.
func (s *Segment) pin() error {
	err := unix.Mlock(s.mem)
	if err == nil {
		return nil
	}
	limit := "unknown"
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r) == nil {
		limit = fmt.Sprintf("%d KiB", r.Cur>>10) // often 64 KiB
		if r.Cur == unix.RLIM_INFINITY {
			limit = "unlimited"
		}
	}
	return fmt.Errorf("cannot lock its %s in memory, RLIMIT_MEMLOCK of this process is %s for all it locks; raise it (ulimit -l, LimitMEMLOCK= of a systemd unit, docker --ulimit memlock=-1) or do without the lock: %w",
		mebibytes(uint64(len(s.mem))), limit, err)
}

// hugeBytes reads what the kernel says of our mapping.
func (s *Segment) hugeBytes() (int64, error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, fmt.Errorf("look at the pages of %s: %w", s.path, err)
	}
	defer f.Close()
	begin := uint64(address(s.mem))
	end := begin + uint64(len(s.mem))
	inside, total := false, int64(0)
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return total, lines.Err()
		}
		// "begin-end perms ..." of a mapping, then its "Name:  N kB".
		name, rest, _ := strings.Cut(lines.Text(), " ")
		if from, _, ok := strings.Cut(name, "-"); ok {
			at, err := strconv.ParseUint(from, 16, 64)
			inside = err == nil && begin <= at && at < end
			continue
		}
		if inside && (name == "ShmemPmdMapped:" || name == "FilePmdMapped:") {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				total += n << 10
			}
		}
	}
}
