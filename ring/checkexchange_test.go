package ring

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// exchangeParts are the words of a copy of an MPMC segment.
type exchangeParts struct {
	mem   []byte
	g     layout.Geometry
	c     *layout.Control
	seats []layout.Seat
	words []uint64
}

func partsOf(mem []byte, g layout.Geometry) exchangeParts {
	return exchangeParts{mem, g, layout.ControlAt(mem), layout.SeatsAt(mem, g.Spec.Seats), layout.WordsAt(mem, &g)}
}

// slot returns the version and the block of a slot.
func (p exchangeParts) slot(i int) (version, block uint64) {
	return p.g.SlotCodec().Unpack(layout.SlotWord(p.words[i]), uint64(i))
}

// setSlot moves a slot to a version, keeping its block.
func (p exchangeParts) setSlot(i int, version uint64) {
	_, block := p.slot(i)
	p.words[i] = uint64(p.g.SlotCodec().Pack(version, block))
}

func (p exchangeParts) seal(i int) { p.words[i] |= uint64(p.g.SlotCodec().Seal()) }

// setVersion says at which version the block of a slot was last given away, whoever did.
func (p exchangeParts) setVersion(i int, version uint64) {
	_, block := p.slot(i)
	sent, freed := layout.VersionsAt(p.mem, &p.g)
	if sent[block], freed[block] = version, 0; version&1 == 0 {
		sent[block], freed[block] = 0, version
	}
}

// setCount says how many elements the block of a slot holds.
func (p exchangeParts) setCount(i int, n uint64) {
	_, block := p.slot(i)
	binary.LittleEndian.PutUint64(p.mem[p.g.BlockOff(block):], n)
}

func (p exchangeParts) setRec(seat, kind int, give, get uint64) {
	p.seats[seat].Rec = uint64(layout.MakeSeatRec(kind, give, get))
}

func (p exchangeParts) owned(seat int) uint64 { return layout.SeatRec(p.seats[seat].Rec).Give() }

// damagedExchange is a ring of 8 slots whose head is 5 and tail 11, closed but for a living
// producer (seat 0) and consumers with an element of three released (1) and nothing in hand (2).
func damagedExchange(t *testing.T, path string, shut bool) {
	t.Helper()
	spec := exchangeSpec[uint64](t, 8, 4)
	s, err := shm.Create(path, spec, 0o600)
	wantErr(t, "Create", err, nil)
	t.Cleanup(func() { wantErr(t, "Close", s.Close(), nil) })
	p, c1, c2 := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	push := func(n int) {
		for range n {
			mustPush(t, p, 1, 2, 3)
		}
	}
	push(8)
	mustPop(t, c1, 1, false)
	for range 4 {
		for v := range uint64(3) {
			mustPop(t, c2, v+1, false)
		}
	}
	push(3)
	if shut {
		wantErr(t, "Shutdown", s.Shutdown(), nil)
	}
}

// Each of these is one word of a copy of a sound segment.
func TestCheckFindsExchangeDamage(t *testing.T) {
	needSegments(t)
	open, shut := filepath.Join(t.TempDir(), "open"), filepath.Join(t.TempDir(), "shut")
	damagedExchange(t, open, false)
	damagedExchange(t, shut, true)
	for _, test := range []struct {
		what, name, of string
		damage         func(p exchangeParts)
	}{
		{"nothing", "", open, func(p exchangeParts) {}},
		{"nothing, shut down", "", shut, func(p exchangeParts) {}},
		{"the spec", "header", open, func(p exchangeParts) { p.mem[56]++ }},
		{"the state word", "header", open, func(p exchangeParts) { p.c.State.Store(9) }},
		{"corrupt by verdict", "state", open, func(p exchangeParts) { p.c.State.Store(layout.StateCorrupt) }},
		{"seat state", "seats", open, func(p exchangeParts) { p.seats[5].State.Store(9) }},
		{"seat role", "seats", open, func(p exchangeParts) { p.seats[5].Role.Store(9) }},
		{"a slot a lap ahead", "slots", open, func(p exchangeParts) { v, _ := p.slot(6); p.setSlot(6, v+16) }},
		{"a slot a lap behind", "slots", open, func(p exchangeParts) { v, _ := p.slot(1); p.setSlot(1, v-16) }},
		{"a message in the middle gone", "slots", open, func(p exchangeParts) { v, _ := p.slot(0); p.setSlot(0, v+15) }},
		{"a message where none was sent yet", "slots", open, func(p exchangeParts) { v, _ := p.slot(4); p.setSlot(4, v+1) }},
		{"a message nobody wrote", "headers", open, func(p exchangeParts) { v, _ := p.slot(3); p.setSlot(3, v+1) }},
		{"the oldest message gone", "headers", open, func(p exchangeParts) { v, _ := p.slot(5); p.setSlot(5, v+15) }},
		{"a block in two slots", "blocks", open, func(p exchangeParts) {
			_, b := p.slot(2)
			v, _ := p.slot(3)
			p.words[3] = uint64(p.g.SlotCodec().Pack(v, b))
		}},
		{"no such block", "blocks", open, func(p exchangeParts) { v, _ := p.slot(3); p.words[3] = uint64(p.g.SlotCodec().Pack(v, p.g.Blocks)) }},
		{"a seat's block in a slot too", "blocks", open, func(p exchangeParts) { _, b := p.slot(3); p.setRec(6, layout.RecHeld, b, 0) }},
		{"a block of two seats", "blocks", open, func(p exchangeParts) { p.setRec(6, layout.RecHeld, p.owned(5), 0) }},
		{"both blocks of an exchange elsewhere", "blocks", open, func(p exchangeParts) {
			_, b := p.slot(3)
			p.setRec(0, layout.RecSending, p.owned(5), b)
			p.seats[0].Ver = 22
		}},
		{"sealed while open", "seal", open, func(p exchangeParts) { p.seal(3) }},
		{"sealed in another slot", "seal", shut, func(p exchangeParts) { p.words[3] &^= uint64(p.g.SlotCodec().Seal()); p.seal(4) }},
		{"sealed twice", "seal", shut, func(p exchangeParts) { p.seal(7) }},
		{"head's hint ahead", "hints", open, func(p exchangeParts) { p.c.Head = 6 }},
		{"tail's hint ahead", "hints", open, func(p exchangeParts) { p.c.Tail = 12 }},
		{"a hint far ahead", "hints", open, func(p exchangeParts) { p.c.Tail = 1 << 40 }},
		{"claim", "hints", open, func(p exchangeParts) { p.c.Claim = 1 }},
		{"seal word", "hints", shut, func(p exchangeParts) { p.c.Seal.Store(1) }},
		{"record of no kind", "records", open, func(p exchangeParts) { p.seats[4].Rec = 0 }},
		{"record of an unknown kind", "records", open, func(p exchangeParts) { p.setRec(0, 9, p.owned(0), 0) }},
		{"record with no such block", "records", open, func(p exchangeParts) { p.setRec(4, layout.RecHeld, p.g.Blocks, 0) }},
		{"record that gets no such block", "records", open, func(p exchangeParts) { p.setRec(0, layout.RecSending, p.owned(0), p.g.Blocks) }},
		{"record that gets and exchanges nothing", "records", open, func(p exchangeParts) { p.setRec(0, layout.RecHeld, p.owned(0), 3) }},
		{"a free seat that sends", "records", open, func(p exchangeParts) { _, b := p.slot(3); p.setRec(4, layout.RecSending, p.owned(4), b) }},
		{"a free seat with a message", "records", open, func(p exchangeParts) { p.setRec(4, layout.RecUnacked, p.owned(4), 0) }},
		{"a producer that takes", "records", open, func(p exchangeParts) { _, b := p.slot(5); p.setRec(0, layout.RecTaking, p.owned(0), b) }},
		{"a producer with a message", "records", open, func(p exchangeParts) { p.setRec(0, layout.RecUnacked, p.owned(0), 0) }},
		{"a consumer that sends", "records", open, func(p exchangeParts) { _, b := p.slot(3); p.setRec(2, layout.RecSending, p.owned(2), b) }},
		{"an orphan that takes", "records", open, func(p exchangeParts) {
			p.seats[2].State.Store(layout.SeatOrphan)
			_, b := p.slot(5)
			p.setRec(2, layout.RecTaking, p.owned(2), b)
		}},
		{"a taker that expects a free slot", "records", open, func(p exchangeParts) {
			_, b := p.slot(5)
			p.setRec(2, layout.RecTaking, p.owned(2), b)
			p.seats[2].Ver = 10
		}},
		{"a sender ahead of its slot", "records", open, func(p exchangeParts) {
			_, b := p.slot(3)
			p.setRec(0, layout.RecSending, p.owned(0), b)
			p.seats[0].Ver = 38
		}},
		{"a message that was not taken yet", "records", open, func(p exchangeParts) { p.seats[1].Ver = 11 }},
		{"more released than there is", "records", open, func(p exchangeParts) { p.seats[1].Part = 4 }},
		{"a block's version", "headers", open, func(p exchangeParts) { p.setVersion(6, 12) }},
		{"an empty block's version", "headers", open, func(p exchangeParts) { p.setVersion(3, 5) }},
		{"an empty message", "headers", open, func(p exchangeParts) { p.setCount(6, 0) }},
		{"more elements than fit", "headers", open, func(p exchangeParts) { p.setCount(6, 5) }},
		{"settled more often than taken", "counters", open, func(p exchangeParts) { p.c.Reaped.Store(4) }},
	} {
		t.Run(test.what, func(t *testing.T) {
			whole, err := os.ReadFile(test.of)
			wantErr(t, "ReadFile", err, nil)
			h, err := layout.Validate(whole[:layout.HeaderSize], int64(len(whole)))
			wantErr(t, "Validate", err, nil)
			test.damage(partsOf(whole, h.Geometry))
			path := filepath.Join(t.TempDir(), "copy")
			wantErr(t, "WriteFile", os.WriteFile(path, whole, 0o600), nil)
			found, err := Check(path)
			wantErr(t, "Check", err, nil)
			var broken, details []string
			for _, f := range found {
				if !f.OK {
					broken, details = append(broken, f.Name), append(details, f.Name+": "+f.Detail)
				}
				if strings.Contains(f.Detail, "\n") || f.Detail == "" || strings.Contains(f.Detail, "%!") {
					t.Errorf("%s: %q", f.Name, f.Detail)
				}
			}
			if test.name == "" && len(broken) > 0 || test.name != "" && !slices.Contains(broken, test.name) {
				t.Errorf("found %q, want %q", details, test.name)
			}
			t.Log(strings.Join(details, "; "))
		})
	}
}

// Every state that proper use leads to is sound, wherever positions begin.
func TestCheckSoundExchanges(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, slots := range []int{1, 4} {
			for _, start := range exchangeStarts(exchangeSpec[uint64](t, slots, 2)) {
				s := exchangeSegment(t, b, exchangeSpec[uint64](t, slots, 2), start)
				wantSound(t, "fresh", s)
				p, c, d := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
				for n := range uint64(5 * slots) {
					for p.TryPush(n) == ErrFull {
						wantSound(t, "full", s)
						wantErr(t, "TryPop", second(c.TryPop()), nil)
					}
					wantSound(t, "pushed", s)
				}
				wantErr(t, "Peek", second(d.Peek()), nil)
				wantSound(t, "peeked", s)
				wantErr(t, "Close", d.Close(), nil)
				wantSound(t, "left in hand", s)
				wantErr(t, "Shutdown", s.Shutdown(), nil)
				wantSound(t, "shut down", s)
				wantErr(t, "TryPush", p.TryPush(1), shm.ErrClosed)
				for err := error(nil); err != shm.ErrClosed; _, err = c.TryPop() {
					wantSound(t, "draining", s)
				}
				wantSound(t, "drained", s)
			}
		}
	})
}

// A seat in doubt may own either block; whom that leaves with none is told from who only seems to.
func TestCheckBlocksInDoubt(t *testing.T) {
	rec := func(give, get uint64) seatRec {
		return seatRec{rec: layout.MakeSeatRec(layout.RecSending, give, get)}
	}
	for _, test := range []struct {
		what string
		recs []seatRec
		ok   bool
	}{
		{"none", nil, true},
		{"one", []seatRec{rec(1, 2)}, true},
		{"two of two", []seatRec{rec(1, 2), rec(2, 1)}, true},
		{"three of two", []seatRec{rec(1, 2), rec(2, 1), rec(1, 2)}, false},
		{"a ring of three", []seatRec{rec(1, 2), rec(2, 3), rec(3, 1)}, true},
		{"a ring of three and one more", []seatRec{rec(1, 2), rec(2, 3), rec(3, 1), rec(4, 1)}, true},
		{"two rings that share a block", []seatRec{rec(1, 2), rec(2, 1), rec(2, 3), rec(3, 2)}, false},
		{"apart", []seatRec{rec(1, 2), rec(5, 6), rec(3, 4)}, true},
	} {
		open := make([]int, len(test.recs))
		for i := range open {
			open[i] = i
		}
		if i := crowded(test.recs, open); (i < 0) != test.ok {
			t.Errorf("%s: crowded = %d", test.what, i)
		}
	}
}

// While everybody works, comes, goes and dies, and the ring is shut down under them, nothing is ever called broken.
func TestCheckWhileExchanging(t *testing.T) {
	for _, spec := range []layout.Spec{exchangeSpec[uint64](t, 1, 1), exchangeSpec[uint64](t, 4, 3), exchangeSpec[uint64](t, 512, 1), exchangeMsgSpec(t, 8, 24)} {
		t.Run(spec.String(), func(t *testing.T) {
			spec.Seats = 16
			s := exchangeSegment(t, plainBed(t), spec, 1<<32-20)
			other := secondSegment(t, s)
			var stop atomic.Bool
			var all sync.WaitGroup
			var moved atomic.Uint64
			newProducer, newConsumer, msg := NewMsgProducer, NewMsgConsumer, []byte("12345678")
			if spec.Payload == layout.Fixed {
				newProducer, newConsumer = NewRawProducer, NewRawConsumer
			}
			for n := range 3 {
				from := []*shm.Segment{s, other}[n%2]
				all.Go(func() {
					for !stop.Load() {
						p, err := newProducer(from, nil)
						if err != nil {
							t.Error(err)
							return
						}
						for i := 0; i < 5000 && err != shm.ErrClosed; i++ {
							err = p.TryPush(msg)
						}
						if e := p.Close(); e != nil || err == shm.ErrClosed {
							checkedClose(t, e)
							return
						}
					}
				})
				all.Go(func() {
					for !stop.Load() {
						c, err := newConsumer(from, nil)
						if err != nil {
							t.Error(err)
							return
						}
						for i := 0; i < 4000 && err != shm.ErrClosed; i++ {
							if i%64 == n {
								runtime.Gosched() // a moment at which something is in hand, or nothing moves
							}
							if _, err = c.Peek(); err == nil && i < 3999 {
								c.Release()
								moved.Add(1)
							}
						}
						if e := c.Close(); e != nil || err == shm.ErrClosed {
							checkedClose(t, e)
							return // with a message in hand, if the ring was not empty
						}
					}
				})
			}
			until(t, "traffic", func() bool { return moved.Load() > 1000 })
			judged, looks := 0, 1500
			for i := range looks {
				if i == looks*3/4 {
					wantErr(t, "Shutdown", s.Shutdown(), nil)
				}
				found, err := findingsWithin(s, time.Duration(i%2)*2*time.Millisecond)
				wantErr(t, "findings", err, nil)
				for _, f := range found {
					if !f.OK {
						t.Errorf("look %d: %s: %s", i, f.Name, f.Detail)
					}
					if f.Name == "blocks" && f.Detail != changing {
						judged++
					}
				}
				if t.Failed() {
					break
				}
			}
			stop.Store(true)
			finishes(t, "everybody", all.Wait)
			t.Logf("%d looks, %d of them at an instant, %d messages", looks, judged, moved.Load())
			if judged == 0 {
				t.Error("never at an instant, not even when all had ended")
			}
			wantSound(t, "in the end", s)
		})
	}
}

func checkedClose(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("Close: %v", err)
	}
}
