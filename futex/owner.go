package futex

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// Who owns a Mutex or holds permits is a process, under a random number for every file that
// it has mapped. The kernel holds a lock on that byte of the file (lockBase + number) as long as
// the process lives, so whoever maps the same file can ask whether an owner can still act.
// Numbers are not used again, so nobody inherits what the dead held.

const (
	lockBase = 1 << 62 // far beyond any file's end and the locks of seats
	idBits   = 48
	idMask   = 1<<idBits - 1
)

// privateHome is the home of a primitive in memory that no other process can see.
const privateHome = 1

var errUnmapped = fmt.Errorf("%w: nothing is mapped there, its segment was closed: %w", ErrFault, os.ErrClosed)

// region is a part of the address space that has one owner number. Its first fields
// are written before it is published in a table or in recent and never change.
type region struct {
	begin, size uintptr
	from        *Attachment // nil: found out by ourselves, see discover

	id   uint64 // this process, in that file; 0 until it is first used
	lock uint64 // the word of a Mutex that we hold
	home uint64 // hash of the file, privateHome for private memory
	row  int    // of a Semaphore's table, where ours is if no other process was there first
	own  *identity
}

// identity is a lock on a file that says that we live.
type identity struct {
	id, home uint64
	file     *os.File // own description, never handed out; nil for private memory
	mapped   string   // its name in the list of mappings, if it was found there: nobody else's while file is open
}

func (r *region) covers(at uintptr) bool { return at-r.begin < r.size }

// last is the region that was looked up last: one load and two comparisons on the busy path.
var last atomic.Pointer[region]

// recent is more of them, for who works with several segments in turn, each where the page of the
// primitive that was used leads to.
var recent [16]atomic.Pointer[region]

// recently returns a region that covers an address, or nil if there is none at hand.
func recently(at uintptr) *region {
	if r := last.Load(); r != nil && r.covers(at) {
		return r
	}
	return before(at)
}

func before(at uintptr) *region {
	if r := recent[recentSlot(at)].Load(); r != nil && r.covers(at) {
		return r
	}
	return nil
}

// recentSlot spreads pages by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4), since
// mappings begin at multiples of large powers of two.
func recentSlot(at uintptr) uint64 { return uint64(at>>12) * 0x9e3779b97f4a7c15 >> 60 }

func remember(at uintptr, r *region) {
	recent[recentSlot(at)].Store(r)
	last.Store(r)
}

// forgetRecent makes everybody look into the table again. It comes under the mutex of regions, as does
// remember, so neither last nor recent outlives what is in the table.
func forgetRecent() {
	last.Store(nil)
	for i := range recent {
		recent[i].Store(nil)
	}
}

// regions is all of them, newest first, replaced as a whole.
var regions struct {
	sync.Mutex
	all     []*region
	private *identity
	files   []*identity // found by discover; a region may be gone and its file still be mapped elsewhere
}

// Attachment says that memory is a mapping of a file.
type Attachment struct {
	file *os.File  // to be opened again on first use
	own  *identity // nil before that
}

// Attach announces that mem is a shared, writable mapping of f, so that primitives in it
// know whose locks to ask. Package shm does so for its segments; call it for memory of your own
// where f cannot be found through the mapping, as with a memfd whose descriptor you pass on and
// close. f must stay open until Detach. Safe for concurrent use.
func Attach(mem []byte, f *os.File) *Attachment {
	a := &Attachment{file: f}
	regions.Lock()
	defer regions.Unlock()
	insert(&region{begin: addressOf(mem), size: uintptr(len(mem)), from: a})
	return a
}

// Detach ends an attachment. Call it after mem was unmapped and not before: what this
// process still holds there passes to others as from a dead owner, which must not be able to
// store. It is idempotent. If other goroutines may map files meanwhile, use DetachBy: one could come to
// lie where mem was, and be taken for it.
func (a *Attachment) Detach() error { return a.DetachBy(func() error { return nil }) }

// DetachBy calls unmap, which unmaps mem, and ends the attachment, as one step for all who look up a lock
// meanwhile. unmap must use no lock of this package. The error joins unmap's and Detach's.
func (a *Attachment) DetachBy(unmap func() error) error {
	regions.Lock()
	defer regions.Unlock()
	for _, r := range regions.all {
		if r.from == a {
			drop(r)
		}
	}
	err := unmap()
	own := a.own
	a.own, a.file = nil, nil
	if own == nil {
		return err
	}
	return errors.Join(err, own.close())
}

// insert publishes r in place of whatever lay there before.
func insert(r *region) {
	all := []*region{r}
	for _, o := range regions.all {
		if !o.covers(r.begin) && !r.covers(o.begin) {
			all = append(all, o)
		}
	}
	regions.all = all
	forgetRecent()
}

func drop(r *region) {
	regions.all = slices.DeleteFunc(slices.Clone(regions.all), func(o *region) bool { return o == r })
	forgetRecent()
}

// find returns the region of an address, ready for use. home is the word of the primitive there;
// it is only looked at where the address is known to be mapped.
func find(at, size uintptr, home *atomic.Uint64) (*region, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	regions.Lock()
	defer regions.Unlock()
	for _, r := range regions.all {
		if !r.covers(at) || !r.covers(at+size-1) {
			continue
		}
		if r.from != nil {
			return ready(r, at)
		}
		// observes: what whoever used it first found out. Other memory may have come to lie at the
		// same address, and then it is another file's home or none.
		if home == nil || home.Load() == r.home {
			remember(at, r)
			return r, nil
		}
	}
	r, err := discover(at, size)
	if err != nil {
		return nil, err
	}
	r.fill()
	insert(r)
	remember(at, r)
	return r, nil
}

// ready gives an attached region its identity, on first use.
func ready(r *region, at uintptr) (*region, error) {
	if r.own == nil {
		own, err := identify(r.from.file)
		if err != nil {
			return nil, err
		}
		r = &region{begin: r.begin, size: r.size, from: r.from, own: own}
		r.from.own = own
		r.fill()
		insert(r)
	}
	remember(at, r)
	return r, nil
}

func (r *region) fill() {
	r.id, r.home = r.own.id, r.own.home
	r.lock, r.row = lockWord(r.id), int(r.id%MaxHolders)
}

// dead reports whether an owner other than we cannot act any more.
func (r *region) dead(id uint64) (bool, error) {
	if r.own.file == nil {
		return true, nil // in private memory there is no owner but us
	}
	held, err := lockHeld(r.own.file, lockBase+int64(id))
	return !held && err == nil, err
}

func (o *identity) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// mix spreads the bits of x over all of the result (the finaliser of splitmix64, Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// errNoFile says that an owner in this memory could not be told alive from dead.
var errNoFile = fmt.Errorf("futex: found no way to the file that is mapped there, to hold a lock on it: keep its descriptor open, map it with package shm, or call Attach: %w", errors.ErrUnsupported)
