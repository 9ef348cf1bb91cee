package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"ringway/futex"
	"ringway/internal/order"
	"ringway/layout"
)

// Segment is an open segment. Its methods may be called concurrently.
//
// Memory handed out by a ring on it stays valid until Close.
type Segment struct {
	path     string
	header   layout.Header
	mem      []byte
	abs      string            // path, wherever this process goes
	file     *os.File          // nil for Heap and System V; may be handed to others
	anchor   *os.File          // what the locks lie on: file, or the lock file of a System V segment; nil for Heap
	locks    *os.File          // our own open file description of anchor, never handed out; its locks are our seats
	sysv     *sysv             // of a System V segment
	owner    *futex.Attachment // tells locks in the segment who we are; nil: read-only or heap
	slot     int               // ours in the attach table
	pid      int               // who attached: a fork has our memory but not the right
	readOnly bool

	mu    sync.Mutex
	seats map[int]*Seat // held through this Segment
	shut  bool          // Close was called
}

// Create makes a new segment at path with exactly the permission bits perm, whatever
// the umask. The error matches fs.ErrExist if the path is taken, by whatever;
// ErrSpec if no segment can be as spec says; and says what to do if the file system
// is too small: all of the file is reserved now, none of it later.
func Create(path string, spec layout.Spec, perm fs.FileMode) (*Segment, error) {
	return makeSegment(path, spec, perm, nil)
}

func makeSegment(path string, spec layout.Spec, perm fs.FileMode, o *Options) (*Segment, error) {
	g, err := geometryFor(spec)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return create(path, g, perm, o)
}

// OpenOrCreate opens the segment at path if its spec is the one given (ErrSpec
// if not; Fence Auto matches either) and creates it if there is none. Of any
// number of processes that race, one creates and all others open. It refuses a
// file that belongs to neither this user nor root: somebody else may have planted it.
func OpenOrCreate(path string, spec layout.Spec, perm fs.FileMode) (*Segment, error) {
	return openOrMake(path, spec, perm, nil)
}

func openOrMake(path string, spec layout.Spec, perm fs.FileMode, o *Options) (*Segment, error) {
	g, err := geometryFor(spec)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	// A file may vanish between "exists" and "open"; a bound keeps a
	// create-and-remove loop elsewhere from holding us for ever.
	const tries = 100
	for range tries {
		s, err := open(path, false, o)
		if err == nil {
			if err := s.serves(spec); err != nil {
				return nil, err
			}
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		s, err = create(path, g, perm, o)
		if !errors.Is(err, fs.ErrExist) {
			return s, err
		}
	}
	return nil, fmt.Errorf("open %s: it appears and vanishes all the time; somebody creates and removes it in a loop", path)
}

// serves closes s and says why if it is not what an OpenOrCreate asked for.
func (s *Segment) serves(spec layout.Spec) error {
	err := s.ownedByUs()
	if have := s.Spec(); err == nil && !spec.Matches(have) {
		want, _ := spec.Normal()
		if want.Fence == layout.Auto {
			want.Fence = have.Fence
		}
		err = fmt.Errorf("open %s: %w: the ring is %s, wanted %s; use another name, or remove the ring if nobody needs it",
			s.path, ErrSpec, differing(have, want), differing(want, have))
	}
	if err != nil {
		_ = s.Close() // nothing is open on it, so this cannot fail
	}
	return err
}

// differing describes a spec, with the details that tell it from other.
func differing(s, other layout.Spec) string {
	text := s.String()
	if s.Elem.Hash != other.Elem.Hash {
		text += fmt.Sprintf(" of type %016x", s.Elem.Hash)
	}
	if s.Elem.Size != other.Elem.Size && s.Kind == layout.SPSC && s.Payload == layout.Message {
		text += fmt.Sprintf(", messages up to %d", s.Elem.Size)
	}
	if s.Seats != other.Seats {
		text += fmt.Sprintf(", %d seats", s.Seats)
	}
	if s.Fence != other.Fence {
		text += fmt.Sprintf(", fence %v", s.Fence)
	}
	return text
}

// CreateTemp makes a segment in a memfd, which has no name and vanishes with its
// last user. It is sealed: nobody can shrink or grow it. Hand it on through
// [Segment.File], to a child or over a Unix socket.
func CreateTemp(spec layout.Spec) (*Segment, error) { return makeTemp(spec, nil) }

func makeTemp(spec layout.Spec, o *Options) (*Segment, error) {
	g, err := geometryFor(spec)
	if err != nil {
		return nil, fmt.Errorf("create temporary segment: %w", err)
	}
	return createTemp(g, o)
}

// Open maps the segment at path for reading and writing. The error matches
// fs.ErrNotExist, fs.ErrPermission, ErrFormat or ErrVersion.
func Open(path string) (*Segment, error) { return open(path, false, nil) }

// OpenReadOnly maps the segment at path for looking only: no seat can be taken
// through it, and nothing that is done with it reaches the ring's users.
func OpenReadOnly(path string) (*Segment, error) { return open(path, true, nil) }

// OpenFile maps the segment in f, an inherited or received descriptor. It does
// not keep f, which the caller may close at once.
func OpenFile(f *os.File) (*Segment, error) { return openFile(f, nil) }

// Heap makes a segment in ordinary memory of this process. It behaves like any
// other, but nobody else can open it, and the race detector sees all of it.
func Heap(spec layout.Spec) (*Segment, error) {
	g, err := geometryFor(spec)
	if err != nil {
		return nil, fmt.Errorf("create heap segment: %w", err)
	}
	return heap(g)
}

// Remove unlinks the segment at path. Mappings stay valid: who has it open goes on.
// It refuses anything that does not begin like a segment.
func Remove(path string) error { return remove(path) }

// geometryFor resolves the defaults of a spec, Fence Auto included.
func geometryFor(spec layout.Spec) (layout.Geometry, error) {
	if spec.Fence == layout.Auto && spec.Kind.Ring() {
		spec.Fence = layout.Full
		if order.Supported() {
			spec.Fence = layout.Asymmetric
		}
	}
	return spec.Geometry()
}

// Spec returns the ring's spec with every default written out.
func (s *Segment) Spec() layout.Spec { return s.header.Geometry.Spec }

// Header returns the segment's immutable header, decoded: geometry and origin.
func (s *Segment) Header() layout.Header { return s.header }

// Path returns where the segment was opened or created, for people.
func (s *Segment) Path() string { return s.path }

// File returns the segment's file, for handing it to a child process
// (exec.Cmd.ExtraFiles) or over a Unix socket; nil for a Heap or a
// System V segment. It
// belongs to the segment: do not close it.
func (s *Segment) File() *os.File { return s.file }

// Memory returns the mapped bytes, for implementations of rings and for tools. They
// are valid until Close. Any process may change any byte at any time.
func (s *Segment) Memory() []byte { return s.mem }

// Control returns the segment's control lines; see Memory.
func (s *Segment) Control() *layout.Control { return layout.ControlAt(s.mem) }

// Mapped reports whether the memory is a mapping rather than Go heap.
func (s *Segment) Mapped() bool { return s.anchor != nil }

// Events returns the two events of the ring: what consumers park on, and producers.
func (s *Segment) Events() (notEmpty, notFull *futex.Event) { return events(s.Control()) }

// Shutdown ends the ring for everybody: producers get ErrClosed, consumers drain
// what was committed and then get ErrClosed too. Exactly the messages whose push
// returned nil are delivered. It is idempotent; on a corrupt ring it only wakes everybody.
// A shared struct has no end (ErrKind).
func (s *Segment) Shutdown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return fmt.Errorf("shut down %s: %w", s.path, ErrClosed)
	}
	if s.readOnly {
		return fmt.Errorf("shut down %s: opened read-only", s.path)
	}
	if k := s.Spec().Kind; k == layout.Shared {
		return fmt.Errorf("shut down %s: %w: it is %s, whose end is for its programs to agree on; remove it if nobody needs it", s.path, ErrKind, k.Noun())
	}
	c := s.Control()
	// publishes: no further pushes. Observed by both sides on their slow paths.
	c.State.CompareAndSwap(layout.StateOpen, layout.StateShutdown)
	err := s.seal()
	notEmpty, notFull := s.Events()
	notEmpty.Interrupt()
	notFull.Interrupt()
	if err != nil {
		return fmt.Errorf("%s is shut down, but the next peer must agree on its end: %w", s.path, err)
	}
	return nil
}

// seal agrees on where the stream ends, unless the ring is corrupt.
func (s *Segment) seal() error {
	if s.Control().State.Load() != layout.StateShutdown { // observes: ours above, or MarkCorrupt
		return nil
	}
	switch s.Spec().Kind {
	case layout.MPMC:
		return s.sealSlots()
	case layout.SPSC:
		_, err := s.Sealed()
		return err
	}
	return nil // a variable or a struct has no end to agree on
}

// SealSlots finishes the shutdown of an MPMC ring that somebody began, for ring
// implementations.
func (s *Segment) SealSlots() error { return s.sealSlots() }

// Sealed returns the final tail of an SPSC ring that was shut down, agreeing on it
// first if nobody has. It is for ring implementations: consumers deliver what lies before
// it and nothing else, and a producer whose push ends behind it was refused. A
// push ends before it exactly if its tail was stored before the sealer looked,
// or if the producer itself sealed.
//
// Why that is exact: a producer stores its tail, then looks at the bits of
// NotEmpty; seeing the alert, it comes here. The sealer raises that bit, makes every
// producer execute a barrier, and only then reads the tail. So a push whose store
// the sealer misses sees the bit, finds the seal, and knows that it was refused;
// this is the argument of parking (internal/order) with the seal in place of sleep.
func (s *Segment) Sealed() (final uint64, err error) {
	c := s.Control()
	if k := s.Spec().Kind; k != layout.SPSC {
		return 0, fmt.Errorf("seal %s: only an spsc ring has a final tail, this is %v", s.path, k)
	}
	if s.readOnly && c.Seal.Load() == 0 { // observes: another sealer's CAS
		return 0, fmt.Errorf("seal %s: opened read-only", s.path)
	}
	if c.Seal.Load() == 0 { // observes: another sealer's CAS
		notEmpty, _ := s.Events()
		notEmpty.Alert() // publishes the alert; pairs with the load after a producer's tail store
		if s.Spec().Fence == layout.Asymmetric {
			if err := order.Barrier(); err != nil {
				return 0, err
			}
		}
		// observes: every tail that was published by somebody who did not see the bit.
		tail := loadPosition(&c.Tail)
		c.Seal.CompareAndSwap(0, layout.PackSeal(tail)) // publishes: this is the end; first one wins
	}
	final, ok := layout.UnpackSeal(c.Seal.Load(), loadPosition(&c.Tail))
	if !ok {
		s.MarkCorrupt(layout.ReasonState, c.Seal.Load())
		return 0, fmt.Errorf("%s: %w: its seal is no seal; remove it and create the ring again", s.path, layout.ErrCorrupt)
	}
	return final, nil
}

// MarkCorrupt makes the ring unusable for everybody, for good, and wakes them.
// Of two that race the reason of either may stay. For ring implementations and tools.
func (s *Segment) MarkCorrupt(reason uint32, where uint64) {
	if s.readOnly {
		return
	}
	c := s.Control()
	for {
		st := c.State.Load() // observes: somebody's earlier verdict
		if st == layout.StateCorrupt {
			return
		}
		c.Reason.Store(reason)
		c.Where.Store(where)
		// publishes the verdict; pairs with the state loads on every slow path.
		if c.State.CompareAndSwap(st, layout.StateCorrupt) {
			break
		}
	}
	notEmpty, notFull := s.Events()
	for _, e := range [...]*futex.Event{notEmpty, notFull} {
		e.Alert() // makes every busy path look at the state, for good
		e.Interrupt()
	}
}

// Close unmaps the segment. It returns ErrBusy, and does nothing, while ends are
// open on it. The last to close a segment that is marked (RemoveOnLast) removes it. Memory and pointers obtained through it must not be used afterwards.
// It is idempotent.
func (s *Segment) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil
	}
	if n := len(s.seats); n > 0 {
		open := "1 end is open on it; close it first"
		if n > 1 {
			open = fmt.Sprintf("%d ends are open on it; close them first", n)
		}
		return fmt.Errorf("close %s: %w: %s", s.path, ErrBusy, open)
	}
	s.shut = true
	return s.release()
}
