//go:build linux

package shm_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// starts are positions from which a few steps cross every wrap there is.
var starts = []uint64{0, 1<<32 - 24, 1<<62 - 24, 1<<63 - 24, 1<<63 - 8, 3<<62 - 24, math.MaxUint64 - 23, math.MaxUint64 - 7}

// startAt makes both sides of a fresh ring begin at a position.
func startAt(s *shm.Segment, pos uint64) {
	c := s.Control()
	atomic.StoreUint64(&c.Tail, pos)
	atomic.StoreUint64(&c.Head, pos)
	atomic.StoreUint64(&c.Claim, pos)
}

func TestShutdownSeals(t *testing.T) {
	dir := ramDir(t)
	for i, start := range starts {
		path := filepath.Join(dir, fmt.Sprint("r", i))
		a, b := create(t, path, spec), reopen(t, path)
		startAt(a, start)
		c := a.Control()
		if c.State.Load() != layout.StateOpen || c.Seal.Load() != 0 {
			t.Errorf("fresh: state %d, seal %#x", c.State.Load(), c.Seal.Load())
		}
		for _, s := range []*shm.Segment{a, b, a} {
			if err := s.Shutdown(); err != nil {
				t.Fatal(err)
			}
			if c.State.Load() != layout.StateShutdown || c.Seal.Load() != layout.PackSeal(start) {
				t.Errorf("start %#x: state %d, seal %#x, want %#x", start, c.State.Load(), c.Seal.Load(), layout.PackSeal(start))
			}
		}
		if notEmpty, _ := a.Events(); !notEmpty.Parked() {
			t.Error("no alert takes the producer off its busy path")
		}
		// The first answer stays, wherever a refused push moves the shared word.
		for _, d := range []uint64{0, 8, 256} {
			atomic.StoreUint64(&c.Tail, start+d)
			if final, err := b.Sealed(); err != nil || final != start {
				t.Errorf("start %#x, tail +%d: sealed at %#x, %v", start, d, final, err)
			}
		}
	}
}

// A sealer that died after the state and before the seal: whoever asks next agrees on it.
func TestSealIsAgreedLater(t *testing.T) {
	s := create(t, filepath.Join(ramDir(t), "r"), spec)
	startAt(s, math.MaxUint64-7)
	s.Control().State.Store(layout.StateShutdown)
	if final, err := s.Sealed(); err != nil || final != math.MaxUint64-7 {
		t.Errorf("sealed at %#x, %v", final, err)
	}
	if err := s.Shutdown(); err != nil {
		t.Error(err)
	}
}

// Of sealers that race while tail still moves one decides, and all say the same, for good.
func TestSealersRace(t *testing.T) {
	s, err := shm.Heap(spec)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, s)
	startAt(s, math.MaxUint64-127)
	const sealers, n = 2, 20_000
	var round, done atomic.Uint32
	var finals [sealers]uint64
	var wg sync.WaitGroup
	for k := range finals {
		wg.Go(func() {
			for r := uint32(1); r <= n; r++ {
				for round.Load() != r {
					runtime.Gosched()
				}
				atomic.AddUint64(&s.Control().Tail, 8) // a push that may or may not make it
				finals[k], _ = s.Sealed()              // fails for asymmetric fences only
				done.Add(1)
			}
		})
	}
	for r := uint32(1); r <= n; r++ {
		s.Control().Seal.Store(0)
		done.Store(0)
		round.Store(r)
		for done.Load() != sealers {
			runtime.Gosched()
		}
		later, err := s.Sealed()
		if !t.Failed() && (err != nil || finals != [sealers]uint64{later, later}) {
			t.Errorf("round %d: sealed at %#x, later at %#x, %v", r, finals, later, err)
		}
	}
	wg.Wait()
}

// What was pushed with nil before the shutdown comes out after it, across every wrap.
func TestShutdownDrainsAcrossWraps(t *testing.T) {
	fences := []layout.Fence{layout.Full}
	if auto, err := shm.Heap(layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 64}); err != nil {
		t.Fatal(err)
	} else if auto.Spec().Fence == layout.Asymmetric {
		fences = append(fences, layout.Asymmetric)
	} else {
		t.Log("no expedited global membarrier here: asymmetric fence not tested")
	}
	for _, fence := range fences {
		for i, start := range starts {
			sp := spec
			sp.Fence = fence
			s := create(t, filepath.Join(t.TempDir(), "r"), sp)
			startAt(s, start)
			p, err := ring.NewMsgProducer(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ring.NewMsgConsumer(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			next, pushed := 0, 0
			for pushed < 20 {
				err := p.TryPush([]byte(fmt.Sprintf("message %d of %d", pushed, i)))
				if err == nil {
					pushed++
					continue
				}
				if err != ring.ErrFull {
					t.Fatalf("start %#x: %v", start, err)
				}
				drain(t, c, &next, i, 1)
			}
			if err := s.Shutdown(); err != nil {
				t.Fatal(err)
			}
			if err := p.TryPush([]byte("late")); err != shm.ErrClosed {
				t.Errorf("start %#x: push after shutdown: %v", start, err)
			}
			drain(t, c, &next, i, pushed-next)
			if b, err := c.TryPop(nil); err != shm.ErrClosed {
				t.Errorf("start %#x: after the last: %q, %v", start, b, err)
			}
			if err := errors.Join(p.Close(), c.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

// drain pops n messages and checks that they come in order.
func drain(t *testing.T, c *ring.MsgConsumer, next *int, of, n int) {
	t.Helper()
	for range n {
		want := fmt.Sprintf("message %d of %d", *next, of)
		if b, err := c.TryPop(nil); err != nil || string(b) != want {
			t.Fatalf("%q, %v, want %q", b, err, want)
		}
		*next++
	}
}

// The first verdict stays, ends everything, and is told to whoever parks or publishes.
func TestMarkCorrupt(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	a, b := create(t, path, spec), reopen(t, path)
	c := a.Control()
	a.MarkCorrupt(layout.ReasonRecord, 42)
	b.MarkCorrupt(layout.ReasonPositions, 7)
	if c.State.Load() != layout.StateCorrupt || c.Reason.Load() != layout.ReasonRecord || c.Where.Load() != 42 {
		t.Errorf("state %d, reason %d, where %d", c.State.Load(), c.Reason.Load(), c.Where.Load())
	}
	notEmpty, notFull := b.Events()
	if !notEmpty.Parked() || !notFull.Parked() {
		t.Error("nobody is taken off the busy path")
	}
	if err := b.Shutdown(); err != nil || c.State.Load() != layout.StateCorrupt {
		t.Errorf("Shutdown of a corrupt ring: %v, state %d", err, c.State.Load())
	}
	_, err := ring.NewMsgProducer(b, nil)
	wantError(t, "an end of a corrupt ring", err, ring.ErrCorrupt, layout.ReasonText(layout.ReasonRecord), "position 42")
	reopen(t, path) // to look at
	d := create(t, path+"2", spec)
	if err := d.Shutdown(); err != nil {
		t.Fatal(err)
	}
	d.MarkCorrupt(layout.ReasonSlot, 1)
	if d.Control().State.Load() != layout.StateCorrupt {
		t.Error("a ring that is shut down cannot become corrupt")
	}
}

func TestCloseWithOpenEnds(t *testing.T) {
	s := create(t, filepath.Join(ramDir(t), "r"), spec)
	p, err := ring.NewMsgProducer(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ring.NewMsgConsumer(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "Close", s.Close(), shm.ErrBusy, "2 ends are open on it; close them first")
	if err := p.TryPush([]byte("still works")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(p.Close(), c.Close(), p.Close(), c.Close(), s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
