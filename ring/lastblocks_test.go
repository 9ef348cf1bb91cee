package ring

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// What is shown of an MPMC ring is exactly what waits and what each consumer took last.
func TestLastBlocks(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, pack := range []int{1, 3} {
			for _, start := range exchangeStarts(exchangeSpec[uint64](t, 4, pack)) {
				s := exchangeSegment(t, b, exchangeSpec[uint64](t, 4, pack), start)
				p, c1, c2 := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
				show := func(what string, want ...Sample) {
					t.Helper()
					seen, err := lastSeen(s, 100)
					if err != nil || seen.Torn != 0 || len(seen.Samples) != len(want) {
						t.Fatalf("pack %d, start %d, %s: %+v, %v, want %d", pack, start, what, seen, err, len(want))
					}
					for i, got := range seen.Samples {
						w := want[i]
						w.Data = binary.LittleEndian.AppendUint64(nil, w.Pos*10+uint64(w.Index))
						if w.Pos += start; got.Pos != w.Pos || got.Index != w.Index || got.Consumed != w.Consumed || got.InHand != w.InHand || !bytes.Equal(got.Data, w.Data) {
							t.Fatalf("pack %d, start %d, %s: number %d is %+v, want %+v", pack, start, what, i, got, w)
						}
					}
				}
				show("nothing")
				for n := range uint64(4) {
					vs := []uint64{n * 10, n*10 + 1}[:min(2, pack)]
					mustPush(t, p, vs...)
				}
				// block is the message of a position with what is known of its elements.
				block := func(pos uint64, consumed int, inHand bool) (all []Sample) {
					for i := range min(2, pack) {
						one := Sample{Pos: pos, Index: i, Consumed: i < consumed}
						one.InHand = inHand && !one.Consumed
						all = append(all, one)
					}
					return all
				}
				join := func(blocks ...[]Sample) (all []Sample) {
					for _, b := range blocks {
						all = append(all, b...)
					}
					return all
				}
				show("all wait", join(block(0, 0, false), block(1, 0, false), block(2, 0, false), block(3, 0, false))...)
				wantErr(t, "TryPush", p.TryPush(99), ErrFull) // its block says that it might be number 4, or one that was sent
				show("a refused push", join(block(0, 0, false), block(1, 0, false), block(2, 0, false), block(3, 0, false))...)
				wantErr(t, "Peek", second(c1.Peek()), nil)
				show("one in hand", join(block(0, 0, true), block(1, 0, false), block(2, 0, false), block(3, 0, false))...)
				c1.Release()
				part := 1
				show("an element released", join(block(0, part, pack > 1), block(1, 0, false), block(2, 0, false), block(3, 0, false))...)
				for range min(2, pack) {
					wantErr(t, "TryPop", second(c2.TryPop()), nil)
				}
				show("consumed by another", join(block(0, part, pack > 1), block(1, 2, false), block(2, 0, false), block(3, 0, false))...)
				for range min(2, pack) {
					wantErr(t, "TryPop", second(c2.TryPop()), nil)
				}
				show("the one before is forgotten", join(block(0, part, pack > 1), block(2, 2, false), block(3, 0, false))...)
				if got, err := lastOf(s, 1); err != nil || len(got) != 1 || got[0].Pos != start+3 {
					t.Errorf("the last one: %+v, %v", got, err)
				}
			}
		}
	})
}

// A block that a producer has under its hands is shown by no means, whoever had its seat before.
func TestLastBlocksOfOthers(t *testing.T) {
	s := blocksOf(t, 4, 1)
	p := mustProducer[uint64](t, s, nil)
	mustPush(t, p, 7)
	c, err := NewConsumer[uint64](s, nil)
	wantErr(t, "NewConsumer", err, nil)
	mustPop(t, c, 7, false)
	seat := c.seat.Index
	wantErr(t, "Close", c.Close(), nil)
	count := func(what string, want int) {
		t.Helper()
		if got, err := lastOf(s, 10); err != nil || len(got) != want {
			t.Errorf("%s: %+v, %v, want %d", what, got, err, want)
		}
	}
	count("the consumer has left", 1)
	q, err := NewProducer[uint64](s, nil)
	wantErr(t, "NewProducer", err, nil)
	if q.seat.Index != seat {
		t.Fatalf("the producer has seat %d, not %d", q.seat.Index, seat)
	}
	v, err := q.Reserve()
	wantErr(t, "Reserve", err, nil)
	*v = 8
	count("a producer fills the block", 0)
	q.Abort()
	wantErr(t, "Close", q.Close(), nil)
	count("it has left", 0)
	mustConsumer[uint64](t, s, nil)
	count("a consumer has the seat again", 0)
}

// While several send and take at full speed, what is shown is whole, at its own position.
func TestLastBlocksWhileStreaming(t *testing.T) {
	for _, pack := range []int{1, 5} {
		for _, slots := range []int{4, 256} {
			spec, err := MsgSpec(layout.MPMC, slots, 200)
			wantErr(t, "MsgSpec", err, nil)
			if pack > 1 {
				spec = exchangeSpec[[4]uint64](t, slots, pack)
			}
			path := filepath.Join(t.TempDir(), "r")
			s, err := shm.Create(path, spec, 0o600)
			wantErr(t, "Create", err, nil)
			lookWhileStreaming(t, s, path, pack)
			wantErr(t, "Close", s.Close(), nil)
		}
	}
}

func lookWhileStreaming(t *testing.T, s *shm.Segment, path string, pack int) {
	var stop atomic.Bool
	var all sync.WaitGroup
	open := func(take func(*shm.Segment, *Options) (*MsgProducer, error)) *MsgProducer {
		return mustOpen(t, func() (*MsgProducer, error) { return take(s, nil) })
	}
	var ends []interface{ Close() error }
	for id := range uint64(2) {
		var p *MsgProducer
		if pack > 1 {
			p = open(NewRawProducer)
		} else {
			p = open(NewMsgProducer)
		}
		ends = append(ends, p)
		all.Go(func() {
			for n := id << 32; !stop.Load(); {
				msg := numberedMessage(n)
				if pack > 1 {
					four := fourOf(n)
					msg = four[:]
				}
				switch err := p.TryPush(msg); err {
				case nil:
					n++
				case ErrFull:
				default:
					t.Errorf("TryPush: %v", err)
					return
				}
			}
		})
		var c *MsgConsumer
		if pack > 1 {
			c = mustOpen(t, func() (*MsgConsumer, error) { return NewRawConsumer(s, nil) })
		} else {
			c = mustOpen(t, func() (*MsgConsumer, error) { return NewMsgConsumer(s, nil) })
		}
		ends = append(ends, c)
		all.Go(func() {
			var buf []byte
			for !stop.Load() {
				var err error
				if buf, err = c.TryPop(buf[:0]); err != nil && err != ErrEmpty {
					t.Errorf("TryPop: %v", err)
					return
				}
			}
		})
	}
	until(t, "all move", func() bool { return statsOf(s).Head > 100 })
	shown, torn, looks := 0, 0, 0
	for ; looks < 1500 && !t.Failed(); looks++ {
		seen, err := LastSeen(path, 20)
		wantErr(t, "LastSeen", err, nil)
		torn += seen.Torn
		var last *Sample
		seenOf := map[uint64]uint64{}
		for i, one := range seen.Samples {
			shown++
			if last != nil && (int64(one.Pos-last.Pos) < 0 || one.Pos == last.Pos && one.Index != last.Index+1) {
				t.Fatalf("position %d.%d comes behind %d.%d", one.Pos, one.Index, last.Pos, last.Index)
			}
			last = &seen.Samples[i]
			n := binary.LittleEndian.Uint64(one.Data)
			want := numberedMessage(n)
			if pack > 1 {
				four := fourOf(n)
				want = four[:]
			}
			if !bytes.Equal(one.Data, want) {
				t.Fatalf("position %d shows %x, want %x", one.Pos, one.Data, want)
			}
			if before, ok := seenOf[n>>32]; ok && n <= before {
				t.Fatalf("position %d shows number %d of a producer behind its number %d", one.Pos, n, before)
			}
			seenOf[n>>32] = n
		}
	}
	stop.Store(true)
	finishes(t, "the stream", all.Wait)
	for _, e := range ends {
		wantErr(t, "Close", e.Close(), nil)
	}
	if shown == 0 {
		t.Error("nothing was ever shown")
	}
	t.Logf("%v: %d looks, %d shown, %d torn", s.Spec(), looks, shown, torn)
}

func mustOpen[E any](t *testing.T, take func() (E, error)) E {
	t.Helper()
	e, err := take()
	wantErr(t, "an end", err, nil)
	return e
}

// Whatever an MPMC ring's memory says, looking at it neither faults nor hangs.
func TestLastBlocksOnGarbage(t *testing.T) {
	needSegments(t)
	random := newRand(seed(t), 3)
	for _, spec := range []layout.Spec{exchangeMsgSpec(t, 8, 40), exchangeSpec[uint64](t, 8, 4)} {
		s := bed{true, layout.Full}.segment(t, spec)
		g := s.Header().Geometry
		for range 60 {
			area := s.Memory()[layout.ControlOff:]
			for range 1 + random.IntN(200) {
				at := random.IntN(len(area)/8) * 8
				if at == 4608-layout.ControlOff {
					continue
				}
				v := random.Uint64() >> random.IntN(64)
				binary.LittleEndian.PutUint64(area[at:], v)
			}
			samples, err := lastOf(s, 1+random.IntN(40))
			for _, one := range samples {
				if len(one.Data) > int(g.Stride) || err != nil {
					t.Fatalf("%d bytes, %v", len(one.Data), err)
				}
			}
			if _, err := inspect(s); err != nil {
				t.Fatal(err)
			}
			if _, err := findings(s); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What is overwritten between finding and copying is left out, and nothing else is.
func TestLastBlocksTorn(t *testing.T) {
	s := blocksOf(t, 4, 1)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	mustPush(t, p, 0, 1, 2)
	mustPop(t, c, 0, false)
	o := newBlockObserver(s)
	_, o.tail = findPositions(s)
	all := append(o.inSeats(), o.inSlots(4)...)
	if len(all) != 3 {
		t.Fatalf("found %+v", all)
	}
	mustPop(t, c, 1, false) // gives the block of 0 back
	mustPush(t, p, 3, 4)
	for _, f := range all {
		samples := o.copy(f)
		if want := f.pos != 0; (samples != nil) != want {
			t.Errorf("position %d: %+v, want it to be there: %v", f.pos, samples, want)
		}
		if samples != nil && binary.LittleEndian.Uint64(samples[0].Data) != f.pos {
			t.Errorf("position %d: %+v", f.pos, samples)
		}
	}
}
