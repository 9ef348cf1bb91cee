package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"ringway/layout"
)

// Shared is a segment that holds one T where every process sees it: not a copy as of a [Var], but the
// struct itself, with locks of package futex and atomics of its own. T has no pointers, and its zero value is
// what a new one begins as. Nothing guards it but what T brings along: what is neither atomic nor
// under a lock of T's is a data race, between processes as within one. If the owner of a
// [futex.Mutex] in it dies, the next to lock it gets futex.ErrOwnerDead and repairs what that one left half
// done.
//
// Methods other than Close may be called concurrently.
type Shared[T any] struct {
	segment *Segment
	value   *T
	closed  atomic.Bool
}

// SharedSpec returns the spec of a segment for a shared T, for [CreateTemp], [Heap] and others, with
// [At]. The error is ErrType if T holds anything that means something in one process only.
func SharedSpec[T any]() (layout.Spec, error) {
	elem, err := layout.ElemOf[T]()
	return layout.SharedSpec(elem), err
}

// At returns the struct in a segment that was made by [SharedSpec] for the same T, however it was opened, but
// for writing. The pointer is good until the segment is closed. Errors are ErrKind if the segment
// holds something else, ErrType if it holds another type, and ErrClosed.
func At[T any](s *Segment) (*T, error) {
	spec, err := SharedSpec[T]()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.path, err)
	}
	if err := s.holds(spec); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil, fmt.Errorf("open %s: %w", s.path, ErrClosed)
	}
	if s.readOnly {
		return nil, fmt.Errorf("open %s: %w: it was opened read-only, where no lock can be taken; use Open", s.path, fs.ErrPermission)
	}
	return valueAt[T](s.mem, s.header.Geometry.DataOff), nil
}

// CreateShared makes a T at path, all zero, with the permission bits perm. Others may open it before this returns.
// A nil o is good. Errors are those of [CreateWith], and ErrType as of [SharedSpec].
func CreateShared[T any](path string, perm fs.FileMode, o *Options) (*Shared[T], error) {
	spec, err := SharedSpec[T]()
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return sharedIn[T](CreateWith(path, spec, perm, o))
}

// OpenShared opens the T at path. A nil o is good. Errors are those of [OpenWith] and [At].
func OpenShared[T any](path string, o *Options) (*Shared[T], error) {
	if _, err := SharedSpec[T](); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return sharedIn[T](OpenWith(path, o))
}

// OpenOrCreateShared opens the T at path as OpenShared does, and makes it if there is
// none. Of any number of processes that race, one makes it. It trusts no file of a third user.
func OpenOrCreateShared[T any](path string, perm fs.FileMode, o *Options) (*Shared[T], error) {
	spec, err := SharedSpec[T]()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s, err := OpenOrCreateWith(path, spec, perm, o)
	if errors.Is(err, ErrSpec) {
		return OpenShared[T](path, o) // which says what it is instead
	}
	return sharedIn[T](s, err)
}

// sharedIn takes over a segment, or the error there is instead.
func sharedIn[T any](s *Segment, err error) (*Shared[T], error) {
	if err != nil {
		return nil, err
	}
	value, err := At[T](s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Shared[T]{segment: s, value: value}, nil
}

// Value returns the struct, which is the same for all who have it open. The pointer is good until Close; whoever
// uses it afterwards faults. If others can truncate the file, work under [Guard]. It panics after Close.
func (s *Shared[T]) Value() *T {
	if s.closed.Load() {
		panic("shm: Value of a shared struct after Close")
	}
	return s.value
}

// Segment returns the segment that the struct lies in: Path, File, Attached, RemoveOnLast.
func (s *Shared[T]) Segment() *Segment { return s.segment }

// Close unmaps the struct. What this process still holds in it passes to others as from a dead owner. It is
// idempotent. Nobody else may use the value meanwhile, but for who waits for a lock in it: that one gets futex.ErrFault.
func (s *Shared[T]) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.segment.Close()
}
