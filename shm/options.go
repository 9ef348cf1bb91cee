package shm

import (
	"fmt"
	"io/fs"
	"os"

	"ringway/layout"
)

// Options tune how a segment is made or opened. The zero value, like a nil pointer, is good.
type Options struct {
	// Name says who has the segment open, to people; cut to 16 bytes. Empty: the
	// program's name.
	Name string

	// RemoveOnLast marks the segment: the last process to close it removes it. If that one
	// is killed instead, the next to create, open or reap it under that name does so. See
	// [Segment.RemoveOnLast].
	RemoveOnLast bool

	// Prefault makes every page of the segment present in this process now, so that the first lap costs
	// no page faults. On a new segment in memory the kernel also clears the pages now. A
	// page of a file on disk may be written back and fault again.
	Prefault bool

	// Lock keeps the segment in memory (mlock) until Close: it is never swapped out, and it is
	// prefaulted. The error says how to raise the limit RLIMIT_MEMLOCK if that is in the way.
	Lock bool

	// HugePages asks for pages of 2 MiB or whatever is large on this machine, for segments
	// in /dev/shm, on another tmpfs, in a memfd or in System V memory: the kernel is advised and then
	// asked to make them at once, which takes Linux 6.1. It is a hint, whose refusal is no
	// error; [Segment.HugePages] says what came of it. Most kernels refuse unless
	// /sys/kernel/mm/transparent_hugepage/shmem_enabled (memfd, System V and /dev/shm) is advise, or the
	// tmpfs is mounted with huge=advise. Whoever creates the segment should ask: the pages are shared.
	// No segment lies on a hugetlbfs: what is tried there is errors.ErrUnsupported.
	HugePages bool
}

// CreateWith is Create with options.
func CreateWith(path string, spec layout.Spec, perm fs.FileMode, o *Options) (*Segment, error) {
	return makeSegment(path, spec, perm, o)
}

// OpenWith is Open with options.
func OpenWith(path string, o *Options) (*Segment, error) { return open(path, false, o) }

// OpenReadOnlyWith is OpenReadOnly with options. Name and RemoveOnLast mean nothing there.
func OpenReadOnlyWith(path string, o *Options) (*Segment, error) { return open(path, true, o) }

// OpenFileWith is OpenFile with options.
func OpenFileWith(f *os.File, o *Options) (*Segment, error) { return openFile(f, o) }

// CreateTempWith is CreateTemp with options. RemoveOnLast changes nothing: a memfd always
// goes with its last user.
func CreateTempWith(spec layout.Spec, o *Options) (*Segment, error) { return makeTemp(spec, o) }

// OpenOrCreateWith is OpenOrCreate with options. A segment that is there already gets
// the mark of RemoveOnLast too.
func OpenOrCreateWith(path string, spec layout.Spec, perm fs.FileMode, o *Options) (*Segment, error) {
	return openOrMake(path, spec, perm, o)
}

// name returns what the attach table says.
func (o *Options) name() string {
	if o == nil || o.Name == "" {
		return processName()
	}
	return o.Name
}

func (o *Options) removeOnLast() bool { return o != nil && o.RemoveOnLast }

// HugePages returns how many bytes of the segment this process has mapped by huge pages now, as
// the kernel counts them; 0 on a Heap segment. It reads /proc and is not for busy paths.
func (s *Segment) HugePages() (bytes int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return 0, fmt.Errorf("look at the pages of %s: %w", s.path, ErrClosed)
	}
	if s.anchor == nil {
		return 0, nil
	}
	return s.hugeBytes()
}
