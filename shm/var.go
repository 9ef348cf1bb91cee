package shm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"ringway/futex"
	"ringway/internal/failpoint"
	"ringway/layout"
)

// A variable has two copies of its value and a version that counts updates; version v is
// copy v mod 2. An update fills the other copy and then stores v+1: one store, before which
// nothing changed and after which all did, so an owner that dies at any instruction leaves
// the old value or the new one and nothing to repair.
//
// Readers take no lock (a seqlock; Lameter, Effective synchronization on Linux/NUMA
// systems, 2005; with two copies as in Linux's seqcount_latch). They load v, copy, load
// v again, and keep the copy if it is still v: the copy of v is written again only by
// the update to v+2, which begins after v+1 was stored.
//
// Why that holds on any processor: each word of a copy is stored with release and loaded
// with acquire (loadWords, storeWords). Say a reader's load of a word returns what the update to v+2
// stored. That store came after the updater had seen v+1, and it is a release; the
// reader's load is an acquire; so v+1, or later, is visible to the reader's
// second load of the version, which comes after it. An updater likewise publishes the version by a
// release store after all words, which the reader's first load acquires. No fence is needed
// besides: acquire on every word is what keeps the second load of the version behind them.

// Var is a segment that holds one value of T, shared between processes. Methods other than
// Close may be called concurrently, in any number of processes; Close waits for none of them. Load, Read and Update
// work on copies, so T may hold no lock (ErrType): a copied lock guards nothing, and Update has its own. A
// struct with locks is for [Shared].
type Var[T any] struct {
	segment *Segment
	version *uint64
	copies  [layout.VarCopies][]uint64
	size    int
	changed *futex.Event
	turn    chan struct{} // one goroutine of this handle updates at a time
	mutex   varMutex
	seen    atomic.Uint64 // the version that was looked at last
	closed  atomic.Bool
}

// SeqlockMax is the size in bytes up to which Load never waits for an update that goes on
// and hardly ever repeats itself. Above it Load works the same, and repeats more often.
const SeqlockMax = layout.Page

// CreateVar makes a variable of T at path, all zero, with the permission bits perm. Errors
// are those of [Create], and ErrType if T holds anything that means something in one
// process only, or a lock.
func CreateVar[T any](path string, perm fs.FileMode) (*Var[T], error) {
	spec, err := varSpec[T]()
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	s, err := Create(path, spec, perm)
	if err != nil {
		return nil, err
	}
	return newVar[T](s), nil
}

// OpenVar opens the variable of T at path. Errors are those of [Open], ErrKind if a
// ring is there, and ErrType if its value is of another type.
func OpenVar[T any](path string) (*Var[T], error) {
	spec, err := varSpec[T]()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s, err := Open(path)
	if err != nil {
		return nil, err
	}
	if err := s.holds(spec); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return newVar[T](s), nil
}

// OpenOrCreateVar opens the variable at path as OpenVar does, and makes it if there is
// none. Of any number of processes that race, one makes it. It trusts no file of a third user.
func OpenOrCreateVar[T any](path string, perm fs.FileMode) (*Var[T], error) {
	spec, err := varSpec[T]()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s, err := OpenOrCreate(path, spec, perm)
	if errors.Is(err, ErrSpec) {
		return OpenVar[T](path) // which says what it is instead
	}
	if err != nil {
		return nil, err
	}
	return newVar[T](s), nil
}

func varSpec[T any]() (layout.Spec, error) {
	if err := holdsLock(reflect.TypeFor[T](), ""); err != nil {
		return layout.Spec{}, err
	}
	elem, err := layout.ElemOf[T]()
	return layout.VarSpec(elem), err
}

// holds says why s is not what want says: a variable or a shared struct of one type.
func (s *Segment) holds(spec layout.Spec) error {
	have, want := s.Spec(), spec.Elem
	switch {
	case have.Kind != spec.Kind:
		use := map[layout.Kind]string{layout.Var: "OpenVar", layout.Shared: "OpenShared"}[have.Kind]
		if use == "" {
			use = "package ring"
		}
		_, noun, _ := strings.Cut(spec.Kind.Noun(), " ")
		return fmt.Errorf("open %s: %w: it is %s (%v), no %s; use %s, or another name", s.path, ErrKind, have.Kind.Noun(), have, noun, use)
	case have.Elem != want:
		return fmt.Errorf("open %s: %w: it holds %d bytes of type %016x, T has %d of type %016x; use the type it was made with, or another name",
			s.path, ErrType, have.Elem.Size, have.Elem.Hash, want.Size, want.Hash)
	}
	return nil
}

func newVar[T any](s *Segment) *Var[T] {
	g := &s.header.Geometry
	v := &Var[T]{segment: s, version: &s.Control().Tail, size: int(g.Spec.Elem.Size), turn: make(chan struct{}, 1)}
	v.changed, _ = s.Events()
	v.mutex = mutexOf(s)
	words := (uint64(v.size) + 7) / 8
	for i := range v.copies {
		v.copies[i] = wordsAt(s.mem, g.DataOff+uint64(i)*g.Stride, words)
	}
	v.seen.Store(v.Version())
	return v
}

// Version returns how often the value was updated since it was made.
func (v *Var[T]) Version() uint64 {
	v.open("Version")
	return atomic.LoadUint64(v.version) // acquire: pairs with the store in Update
}

// Segment returns the segment that the value lies in: Path, Attached, RemoveOnLast, Shutdown.
// Shutdown ends updates, with ErrClosed for those who try and those who wait; the value stays readable.
func (v *Var[T]) Segment() *Segment { return v.segment }

// Update calls f with a private copy of the value and, if f returns nil, makes the copy the
// value, for everybody at once. An error of f is returned as it is; then, or if f
// panics, or if the process dies at any instruction, the value stays as it was. Updates of all processes
// come one after the other; f must not update the same variable. The error is the cause of ctx if that ends before
// the turn has come, or ErrClosed, or what is wrong with the segment.
func (v *Var[T]) Update(ctx context.Context, f func(*T) error) (err error) {
	if v.closed.Load() {
		return fmt.Errorf("update %s: %w", v.segment.path, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-v.turn }()
	if err := v.mutex.lock(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return err
		}
		return v.failed("update", err)
	}
	defer func() {
		if e := v.mutex.unlock(); err == nil && e != nil {
			err = v.failed("update", e)
		}
	}()
	if err := v.usable("update"); err != nil {
		return err
	}
	failpoint.Hit(failpoint.VarLocked)
	at := atomic.LoadUint64(v.version) // observes: the last update, whose lock is ours now
	next := new(T)
	b := bytesOf(next)
	loadWords(b, v.copies[at%layout.VarCopies])
	if err := f(next); err != nil {
		return err
	}
	storeWords(v.copies[(at+1)%layout.VarCopies], b)
	failpoint.Hit(failpoint.VarFilled)
	atomic.StoreUint64(v.version, at+1) // release: publishes the copy; pairs with the loads in load and Changed
	v.seen.Store(at + 1)
	failpoint.Hit(failpoint.VarPublished)
	v.changed.Notify()
	return nil
}

// Changed waits until the value is another version than this handle last looked at: with Load,
// Read, Update, or when it was opened. Several changes are one. It returns nil, the
// cause of ctx, or ErrClosed once the variable was shut down.
func (v *Var[T]) Changed(ctx context.Context) error {
	if v.closed.Load() {
		return fmt.Errorf("wait for %s: %w", v.segment.path, ErrClosed)
	}
	since := v.seen.Load()
	if atomic.LoadUint64(v.version) != since { // acquire: pairs with the store in Update
		return nil
	}
	if ctx.Done() != nil {
		fired := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { // so that a cancel cannot be lost between the look and the sleep
			defer close(fired)
			v.changed.Interrupt()
		})
		defer func() {
			if !stop() {
				<-fired // it touches the segment, which may be unmapped once we return
			}
		}()
	}
	for {
		token := v.changed.Prepare()               // full fence (a CAS, or the bit was there and Update's wake clears it)
		if atomic.LoadUint64(v.version) != since { // acquire: pairs with the store in Update
			return nil
		}
		if err := v.usable("wait for"); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := v.changed.Wait(token, varPark); errors.Is(err, futex.ErrFault) || errors.Is(err, errors.ErrUnsupported) {
			return v.failed("wait for", err)
		}
	}
}

// varPark bounds every sleep: an updater can be killed between its store and its wake.
const varPark = 100 * time.Millisecond

// usable says why the variable takes no updates any more.
func (v *Var[T]) usable(what string) error {
	c := v.segment.Control()
	switch st := c.State.Load(); st { // observes: Shutdown, MarkCorrupt
	case layout.StateOpen:
		return nil
	case layout.StateShutdown:
		return fmt.Errorf("%s %s: %w", what, v.segment.path, ErrClosed)
	default:
		return fmt.Errorf("%s %s: %w: %s; remove it and create it again", what, v.segment.path, layout.ErrCorrupt, layout.ReasonText(c.Reason.Load()))
	}
}

func (v *Var[T]) failed(what string, err error) error {
	return fmt.Errorf("%s %s: %w", what, v.segment.path, err)
}

// open panics if the handle was closed: its memory is gone.
func (v *Var[T]) open(call string) {
	if v.closed.Load() {
		panic("shm: " + call + " of a variable after Close")
	}
}

// Close unmaps the variable. It is idempotent. No other call may be under way, nor come
// after it.
func (v *Var[T]) Close() error {
	if v.closed.Swap(true) {
		return nil
	}
	return v.segment.Close()
}
