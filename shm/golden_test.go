//go:build linux

package shm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"ringway/futex"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

var update = flag.Bool("update", false, "write the golden segments instead of comparing")

const goldenDir = "../layout/testdata"

// goldenOrigin has no boot id, so that the files open after every boot.
var goldenOrigin = layout.Origin{
	UID: 1000, PID: 4242, Created: time.Unix(1_700_000_000, 0),
	ID: [16]byte{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
}

// goldenTick is the element of the fixed golden rings, a type of the format as
// much as their bytes are.
type goldenTick struct {
	Seq   uint64
	Price float64
	Size  uint32
	Side  uint8
	_     [3]uint8
}

// goldenShared is the shared struct of the golden files.
type goldenShared struct {
	Mutex futex.Mutex
	Cond  futex.Cond
	Free  futex.Semaphore
	Tick  goldenTick
}

func tickAt(i int) goldenTick {
	return goldenTick{Seq: uint64(i), Price: 100 + float64(i)/8, Size: uint32(10 * i), Side: uint8(i % 2)}
}

// messageAt has every length from 0 to 44, so that padding lies among the pending ones.
func messageAt(i int) []byte {
	return bytes.Repeat([]byte{byte('a' + i%26)}, i*7%45)
}

type golden struct {
	name  string
	spec  layout.Spec
	start uint64 // position at which both sides begin
	// What producer and consumer do: pending units are from to to-1.
	from, to int
	shutdown bool
}

func goldens(t *testing.T) []golden {
	fixed := func(k layout.Kind, f layout.Fence) layout.Spec {
		s, err := ring.Spec[goldenTick](k, 8)
		if err != nil {
			t.Fatal(err)
		}
		s.Seats, s.Fence = 2, f
		return s
	}
	messages := layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 256, Seats: 2, Fence: layout.Full}
	asymmetric := messages
	asymmetric.Fence = layout.Asymmetric
	packed := fixed(layout.MPMC, layout.Full)
	packed.Cap, packed.Pack = 4, 2
	blocks := layout.Spec{Kind: layout.MPMC, Payload: layout.Message, Cap: 4, Elem: layout.Elem{Size: 100}, Seats: 2, Fence: layout.Full}
	variable := layout.VarSpec(packed.Elem)
	variable.Seats = 2
	shared, err := shm.SharedSpec[goldenShared]()
	if err != nil {
		t.Fatal(err)
	}
	shared.Seats = 2
	return []golden{
		{name: "spsc-fixed", spec: fixed(layout.SPSC, layout.Full), from: 14, to: 19},
		{name: "spsc-fixed-wrap", spec: fixed(layout.SPSC, layout.Asymmetric), start: ^uint64(0) - 15, from: 14, to: 20},
		{name: "spsc-fixed-shutdown", spec: fixed(layout.SPSC, layout.Full), from: 3, to: 5, shutdown: true},
		{name: "spsc-message", spec: messages, from: 13, to: 20},
		{name: "spsc-message-wrap", spec: asymmetric, start: ^uint64(0) - 511, from: 20, to: 26},
		{name: "mpmc-fixed", spec: packed},
		{name: "mpmc-message", spec: blocks},
		{name: "var", spec: variable, from: 4, to: 5},
		{name: "shared", spec: shared, from: 4, to: 5},
	}
}

// make builds the segment through the real ends and returns its file's bytes,
// with what differs from run to run, the owners, set to fixed values.
func (g golden) make(t *testing.T) []byte {
	geometry, err := g.spec.Geometry()
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, geometry.FileSize/8)
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
	h := layout.Header{Geometry: geometry, Origin: goldenOrigin}
	h.Format(mem)
	control := layout.ControlAt(mem)
	control.Tail, control.Head, control.Claim = g.start, g.start, g.start
	*layout.ReadyAt(mem) = layout.Ready
	path := write(t, g.name, mem)
	if g.to > 0 {
		seg := reopen(t, path)
		g.run(t, seg)
		if g.spec.Payload == layout.Message && paddings(seg) == 0 {
			t.Errorf("%s: no padding among the pending messages", g.name)
		}
		for i, seats := 0, layout.SeatsAt(seg.Memory(), g.spec.Seats); i < len(seats); i++ {
			seats[i].PID.Store(4242 + uint32(i))
			seats[i].Start.Store(123456)
			seats[i].Since.Store(goldenOrigin.Created.UnixNano())
		}
		who := seg.Control().Attach[:]
		clear(unsafe.Slice((*byte)(unsafe.Pointer(&who[0])), len(who)*int(unsafe.Sizeof(who[0])))) // as after we left, and before
		if g.spec.Kind == layout.Var {
			clear(seg.Memory()[4224 : 4224+layout.Line]) // the mutex remembers in which file it lies
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// paddings counts the padding records between head and tail.
func paddings(seg *shm.Segment) (n int) {
	c, at := seg.Control(), seg.Header().Geometry.DataOff
	for pos := c.Head; pos != c.Tail; {
		index := pos % uint64(seg.Spec().Cap)
		r := layout.Record(binary.LittleEndian.Uint64(seg.Memory()[at+index:]))
		if r.Kind() == layout.RecordPadding {
			n++
		}
		pos += layout.RecordSize(r.Len())
	}
	return n
}

// run pushes and pops until units from to to-1 are pending.
func (g golden) run(t *testing.T, seg *shm.Segment) {
	o := &ring.Options{Name: "golden"}
	var push func(int) error
	var pop func() error
	var closers []func() error
	if g.spec.Kind == layout.Var {
		v, err := shm.OpenVar[goldenTick](seg.Path())
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.to {
			if err := v.Update(t.Context(), func(at *goldenTick) error { *at = tickAt(i); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if g.spec.Kind == layout.Shared {
		at, err := shm.At[goldenShared](seg)
		if err != nil {
			t.Fatal(err)
		}
		at.Tick = tickAt(g.from)
		return
	}
	if g.spec.Payload == layout.Fixed {
		p, err := ring.NewProducer[goldenTick](seg, o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ring.NewConsumer[goldenTick](seg, o)
		if err != nil {
			t.Fatal(err)
		}
		push = func(i int) error { _, err := p.TryPushN([]goldenTick{tickAt(i)}); return err }
		pop = func() error { _, err := c.TryPop(); return err }
		closers = append(closers, p.Close, c.Close)
	} else {
		p, err := ring.NewMsgProducer(seg, o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ring.NewMsgConsumer(seg, o)
		if err != nil {
			t.Fatal(err)
		}
		push = func(i int) error { return p.TryPush(messageAt(i)) }
		pop = func() error { _, err := c.TryPop(nil); return err }
		closers = append(closers, p.Close, c.Close)
	}
	popped := 0
	for i := 0; i < g.to; {
		switch err := push(i); {
		case err == nil:
			i++
		case errors.Is(err, ring.ErrFull) && popped < g.from:
			if err := pop(); err != nil {
				t.Fatal(err)
			}
			popped++
		default:
			t.Fatalf("%s: push %d: %v", g.name, i, err)
		}
	}
	for ; popped < g.from; popped++ {
		if err := pop(); err != nil {
			t.Fatal(err)
		}
	}
	if g.shutdown {
		if err := seg.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range closers {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
}

// What this build writes is, byte for byte, what the first one wrote.
func TestGoldenWrite(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			if g.spec.Fence == layout.Asymmetric && !order.Supported() {
				t.Skip("no expedited global membarrier here, an asymmetric ring has no seats")
			}
			file := filepath.Join(goldenDir, g.name+".ring")
			got := g.make(t)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d bytes, golden has %d", len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("byte %d is %#02x, golden has %#02x", i, got[i], want[i])
				}
			}
		})
	}
}

// What the first build wrote this one opens, and reads what was pending.
func TestGoldenRead(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(goldenDir, g.name+".ring"))
			if err != nil {
				t.Fatal(err)
			}
			seg := reopen(t, write(t, g.name, b))
			if want, err := g.spec.Normal(); err != nil || seg.Spec() != want {
				t.Errorf("spec %+v, want %+v, %v", seg.Spec(), want, err)
			}
			if got := seg.Header().Origin; got != goldenOrigin {
				t.Errorf("origin %+v, want %+v", got, goldenOrigin)
			}
			control := seg.Control()
			if tail := atomic.LoadUint64(&control.Tail); g.spec.Kind != layout.Shared && tail-g.start == 0 != (g.to == 0) {
				t.Errorf("tail %d, start %d", tail, g.start)
			}
			if g.spec.Kind == layout.MPMC {
				return // fresh: the words are checked by TestGoldenWrite
			}
			if g.spec.Fence == layout.Asymmetric && !order.Supported() {
				t.Skip("no expedited global membarrier here, an asymmetric ring has no seats")
			}
			g.read(t, seg)
		})
	}
}

func (g golden) read(t *testing.T, seg *shm.Segment) {
	if g.spec.Kind == layout.Var {
		v, err := shm.OpenVar[goldenTick](seg.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if got := v.Load(); got != tickAt(g.from) || v.Version() != uint64(g.to) {
			t.Errorf("value %+v of version %d", got, v.Version())
		}
		return
	}
	if g.spec.Kind == layout.Shared {
		at, err := shm.At[goldenShared](seg)
		if err != nil {
			t.Fatal(err)
		}
		if at.Tick != tickAt(g.from) {
			t.Errorf("struct %+v", at.Tick)
		}
		checkErr(t, errors.Join(at.Mutex.Lock(), at.Mutex.Unlock(), at.Free.Post(1), at.Free.Acquire(1)))
		return
	}
	end := ring.ErrEmpty
	if g.shutdown {
		end = shm.ErrClosed
	}
	var next func() (any, error)
	want := func(i int) any { return fmt.Sprintf("%q", messageAt(i)) }
	if g.spec.Payload == layout.Fixed {
		c, err := ring.NewConsumer[goldenTick](seg, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		next = func() (any, error) { return c.TryPop() }
		want = func(i int) any { return tickAt(i) }
	} else {
		c, err := ring.NewMsgConsumer(seg, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		next = func() (any, error) { b, err := c.TryPop(nil); return fmt.Sprintf("%q", b), err }
	}
	for i := g.from; i < g.to; i++ {
		if got, err := next(); err != nil || got != want(i) {
			t.Fatalf("unit %d: %v, %v, want %v", i, got, err, want(i))
		}
	}
	if got, err := next(); err != end {
		t.Errorf("after the last: %v, %v, want %v", got, err, end)
	}
}
