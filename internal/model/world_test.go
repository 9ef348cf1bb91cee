//go:build failpoint

package model

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"

	"ringway/internal/failpoint"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// An actor is a process: a segment object of its own on the common memory, a handle,
// and a script. It runs as a coroutine that stops wherever the code has a failpoint.
type actor struct {
	name   string
	script func(*actor)
	ready  func(*world) bool // when it may begin; nil: at once
	mortal bool              // may be killed
	seg    *shm.Segment
	prod   *ring.Producer[uint64]
	cons   *ring.Consumer[uint64]
	w      *world
	id     int

	// The coroutine, which runs the script again and again.
	next    func() (int, bool)
	stop    func()
	yield   func(int) bool
	begun   bool // it is somewhere in the script
	cutting bool // and is to leave it

	// Of the present run.
	at      int // the point where it stopped
	life    int
	ops     int
	msg     uint64 // being sent
	sent    bool
	hand    uint64 // taken and not released
	flagged bool   // hand was taken by somebody else, who died
	orphans uint64 // bit: a dead consumer had this message when the call began
	last    uint64 // the message released last
	full    bool   // the ring was full at some instant of this call
	empty   bool
	ended   bool            // it was told that the ring has ended
	seat    *layout.Seat    // of the handle that it has from the beginning
	private []func() uint64 // the handle's own words
	looked  *uint64         // what the handle remembers of the orphans
	chain   uint64          // stands for the locals of the call under way
	settled uint64          // chain when recovery began to decide
}

const (
	alive = iota
	finished
	dead
)

// Where an actor stops besides the failpoints.
const (
	atLook  = 100 // and where it looks
	atBegin = 120 // before a call
	atStart = 121 // before its script
	atEnd   = 122 // behind it
)

type killed struct{}

// world is a ring, its actors, and what must be true of it.
type world struct {
	spec   layout.Spec
	g      layout.Geometry
	seg    *shm.Segment
	mem    []byte
	clean  []byte // as it was before anybody moved
	saved  []byte
	locks  map[int64]int
	clean0 map[int64]int
	back   []func() // put the private halves of handles and segments back
	actors []*actor
	cur    *actor

	auditor *actor // looks at every state with handles that nobody else uses
	push    *actor

	kills   int // left
	kills0  int
	killedN int
	log     []uint64 // messages in the order of their exchanges
	taken   int
	gone    uint64 // bit: message released
	closed  bool   // somebody was told that the ring has ended
	bad     string
	heldAt  map[int64]bool // the locks that were held when the audit began
	replay  bool
}

func (w *world) fail(format string, args ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...)
	}
}

// newWorld makes a ring of slots slots for the given actors.
func newWorld(t *testing.T, slots, kills int, actors ...*actor) *world {
	t.Helper()
	spec, err := ring.Spec[uint64](layout.MPMC, slots)
	if err != nil {
		t.Fatal(err)
	}
	spec.Seats, spec.Fence = len(actors)+2, layout.Full
	seg, err := shm.Heap(spec)
	if err != nil {
		t.Skip("no segments on this system: ", err)
	}
	w := &world{spec: seg.Spec(), g: seg.Header().Geometry, seg: seg, mem: seg.Memory(), locks: map[int64]int{}, kills0: kills, actors: actors}
	failpoint.HeapLocks = w
	failpoint.Hook = func(p failpoint.Point) { w.point(int(p)) }
	failpoint.OnLook = func(where int) { w.point(atLook + where) }
	t.Cleanup(func() {
		failpoint.HeapLocks, failpoint.Hook, failpoint.OnLook = nil, nil, nil
		for _, a := range w.actors {
			if a.stop != nil {
				w.cut(a)
				a.stop()
			}
		}
	})
	w.auditor, w.push = &actor{name: "auditor"}, &actor{name: "filler"}
	for i, a := range append(slices.Clone(actors), w.auditor, w.push) {
		a.w, a.id, a.seg = w, i, another(seg)
	}
	for _, a := range append(slices.Clone(actors), w.auditor, w.push) {
		w.seat(t, a)
	}
	w.clean, w.saved = slices.Clone(w.mem), make([]byte, len(w.mem))
	w.clean0 = map[int64]int{}
	for at, id := range w.locks {
		w.clean0[at] = id
	}
	return w
}

// seat opens the handle that the actor's name asks for.
func (w *world) seat(t *testing.T, a *actor) {
	t.Helper()
	w.cur = a
	w.replay = true
	var err error
	var handle any
	switch a.name[0] {
	case 'P', 'f':
		a.prod, err = ring.NewProducer[uint64](a.seg, &ring.Options{Name: a.name})
		handle = a.prod
	case 'C', 'a':
		a.cons, err = ring.NewConsumer[uint64](a.seg, &ring.Options{Name: a.name})
		handle = a.cons
	}
	w.cur = nil
	if err != nil {
		t.Fatal(err)
	}
	w.back = append(w.back, freezeSegment(a.seg))
	if handle != nil {
		w.back = append(w.back, freeze(handle))
		a.seat, a.private = w.line(a), ownWords(handle)
		a.looked = (*uint64)(unsafe.Pointer(parts(handle)[1].FieldByName("orphans").UnsafeAddr()))
	}
}

// another is a second segment object on the memory of s, as another process has it.
func another(s *shm.Segment) *shm.Segment {
	o := new(shm.Segment)
	for _, name := range []string{"path", "header", "mem"} {
		field(o, name).Set(field(s, name))
	}
	return o
}

// field is a field of a struct, exported or not.
func field(of any, name string) reflect.Value {
	f := reflect.ValueOf(of).Elem().FieldByName(name)
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}

// freezeSegment returns what puts a segment object back as it is now.
func freezeSegment(s *shm.Segment) func() {
	v := reflect.ValueOf(s).Elem()
	kept := reflect.New(v.Type()).Elem()
	kept.Set(v)
	seats := field(s, "seats").Addr().Interface().(*map[int]*shm.Seat)
	entries := maps.Clone(*seats)
	return func() {
		v.Set(kept)
		if entries != nil { // the map itself is the same all the time
			clear(*seats)
			maps.Copy(*seats, entries)
		}
	}
}

// parts lists a handle and what of package ring it points to.
func parts(handle any) (all []reflect.Value) {
	v := reflect.ValueOf(handle).Elem()
	all = append(all, v)
	x := v.FieldByName("x")
	blocks := reflect.NewAt(x.Type().Elem(), x.UnsafePointer()).Elem()
	inner := blocks.FieldByName("exchange")
	return append(all, blocks, reflect.NewAt(inner.Type(), unsafe.Pointer(inner.UnsafeAddr())).Elem())
}

// freeze returns what puts a handle back as it is now.
func freeze(handle any) func() {
	var undo []func()
	for _, v := range parts(handle) {
		kept := reflect.New(v.Type()).Elem()
		kept.Set(v)
		undo = append(undo, func() { v.Set(kept) })
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// ownWords read the numbers that an MPMC handle keeps to itself.
func ownWords(handle any) (all []func() uint64) {
	for _, v := range parts(handle)[1:] {
		for i := range v.NumField() {
			switch f := v.Field(i); {
			case f.Kind() == reflect.Uint64:
				all = append(all, f.Uint)
			case f.Kind() == reflect.Bool:
				all = append(all, func() uint64 { return bit(f.Bool()) })
			case v.Type().Field(i).Name == "orphan":
				all = append(all, func() uint64 { return bit(!f.IsNil()) })
			}
		}
	}
	return all
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// reset brings everything back to the beginning.
func (w *world) reset() {
	for _, a := range w.actors {
		w.cut(a)
	}
	copy(w.mem, w.clean)
	w.relock(w.clean0)
	for _, f := range w.back {
		f()
	}
	for _, a := range w.actors {
		a.at, a.life, a.ops, a.msg, a.sent, a.hand, a.flagged, a.orphans, a.last, a.full, a.empty, a.ended, a.chain = atStart, alive, 0, 0, false, 0, false, 0, 0, false, false, false, 0
	}
	w.kills, w.killedN, w.log, w.taken, w.gone, w.closed, w.bad = w.kills0, 0, w.log[:0], 0, 0, false, ""
}

func (w *world) relock(to map[int64]int) {
	clear(w.locks)
	for at, id := range to {
		w.locks[at] = id
	}
}

// cut abandons an actor where it is. It must not touch shared memory any more, and does
// not: only its own segment object is unlocked on the way out.
func (w *world) cut(a *actor) {
	if !a.begun {
		return
	}
	w.cur = nil
	a.cutting = true
	a.next()
	a.begun, a.cutting = false, false
}

// run plays the script once, unless it is cut.
func (a *actor) run() {
	defer func() {
		if r := recover(); r != nil && r != (killed{}) {
			panic(r)
		}
	}()
	a.script(a)
}

// pause stops an actor until it is to go on.
func (a *actor) pause(at int) {
	if !a.yield(at) || a.cutting {
		panic(killed{})
	}
}

// kill ends an actor as kill -9 does: its locks are free, the memory stays as it is.
func (w *world) kill(a *actor) {
	w.cut(a)
	a.life = dead
	for at, id := range w.locks {
		if id == a.id {
			delete(w.locks, at)
		}
	}
	w.kills--
	w.killedN++
}

// step lets an actor run to its next point.
func (w *world) step(a *actor) {
	if a.next == nil { // once: a new coroutine for each run would grow its stack anew
		a.next, a.stop = iter.Pull(func(yield func(int) bool) {
			a.yield = yield
			for a.run(); yield(atEnd); a.run() {
			}
		})
	}
	a.begun = true
	from, seen := a.at, uint64(0)
	if !w.replay {
		seen = w.visible(from)
	}
	w.cur = a
	at, _ := a.next()
	w.cur = nil
	if at == atEnd {
		a.life, at, a.begun = finished, atStart, false
	}
	a.at = at
	if !w.replay {
		a.remember(at, seen)
	}
	full, empty := len(w.log)-w.taken == w.spec.Cap, len(w.log) == w.taken
	for _, b := range w.actors {
		b.full, b.empty = b.full || full, b.empty || empty
	}
}

// point is where an actor stops, and where the truth is noted.
func (w *world) point(p int) {
	a := w.cur
	if a == nil || !a.begun {
		return
	}
	a.observe(p)
	a.pause(p)
}

// begin stops an actor before a call.
func (a *actor) begin() {
	a.ops++
	a.full, a.empty = len(a.w.log)-a.w.taken == a.w.spec.Cap, len(a.w.log) == a.w.taken
	a.pause(atBegin)
	a.full, a.empty = len(a.w.log)-a.w.taken == a.w.spec.Cap, len(a.w.log) == a.w.taken
}

func (w *world) TryLock(at int64) bool {
	id, held := w.locks[at]
	if held && id != w.who() {
		return false
	}
	w.locks[at] = w.who()
	return true
}

func (w *world) Unlock(at int64) {
	if w.cur != nil && w.locks[at] == w.who() {
		delete(w.locks, at)
	}
}

func (w *world) Locked(at int64) bool {
	id, held := w.locks[at]
	return held && id != w.who()
}

func (w *world) who() int {
	if w.cur == nil {
		panic("a lock outside of any actor")
	}
	return w.cur.id
}

func (w *world) seats() []layout.Seat { return layout.SeatsAt(w.mem, w.spec.Seats) }

// block returns at which version a block was last sent, and given back, and what it holds.
func (w *world) block(i uint64) (sent, freed, value uint64) {
	a, b := layout.VersionsAt(w.mem, &w.g)
	p := (*uint64)(unsafe.Pointer(&w.mem[w.g.BlockOff(i) : w.g.BlockOff(i)+8][0]))
	return atomic.LoadUint64(&a[i]), atomic.LoadUint64(&b[i]), *p
}
