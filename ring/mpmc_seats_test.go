package ring

import (
	"context"
	"testing"
	"time"

	"ringway/shm"
)

// secondSegment opens a second Segment on the same memory, as another process would.
func secondSegment(t *testing.T, s *shm.Segment) *shm.Segment {
	t.Helper()
	other, err := shm.OpenFile(s.File())
	wantErr(t, "OpenFile", err, nil)
	t.Cleanup(func() { wantErr(t, "closing the second segment", other.Close(), nil) })
	return other
}

// Popping in the body of All takes what follows, as on an SPSC ring: a value comes once.
func TestExchangePopInsideAll(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, pack := range []int{1, 8} {
			for name, pop := range map[string]func(c *Consumer[pair]) (pair, error){
				"TryPop": (*Consumer[pair]).TryPop,
				"Pop":    func(c *Consumer[pair]) (pair, error) { return c.Pop(background) },
				"TryPopN": func(c *Consumer[pair]) (pair, error) {
					dst := make([]pair, 1)
					_, err := c.TryPopN(dst)
					return dst[0], err
				},
				"Peek and Release": func(c *Consumer[pair]) (pair, error) {
					v, err := c.Peek()
					if err != nil {
						return pair{}, err
					}
					defer c.Release()
					return *v, nil
				},
			} {
				x := newExchanged(t, b, 64, pack, 0)
				if n, err := x.p.TryPushN(x.next(60)); n != 60 || err != nil {
					t.Fatal(n, err)
				}
				wantErr(t, "Shutdown", x.c.segment.Shutdown(), nil)
				var seen []pair
				for v := range x.c.All(t.Context()) {
					seen = append(seen, v)
					if v.N%10 == 5 {
						v, err := pop(x.c)
						wantErr(t, name+" in the body", err, nil)
						seen = append(seen, v)
					}
				}
				for i, v := range seen {
					if v != pairOf(uint64(i)) || len(seen) != 60 {
						t.Errorf("pack %d, %s in the body: %d values of 60, number %d is %d", pack, name, len(seen), i, v.N)
						break
					}
				}
			}
		}
	})
}

// What the body of All has dealt with itself All leaves alone.
func TestExchangeMsgInsideAll(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		s := exchangeSegment(t, b, exchangeMsgSpec(t, 16, 8), 0)
		p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
		for n := range byte(12) {
			wantErr(t, "TryPush", p.TryPush([]byte{n}), nil)
		}
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		var seen []byte
		for m, err := range c.All(t.Context()) {
			wantErr(t, "All", err, nil)
			seen = append(seen, m[0])
			switch m[0] {
			case 2:
				c.Release()
			case 5:
				c.Release()
				wantErr(t, "Peek in the body", second(c.Peek()), nil) // All yields it next
			case 8:
				wantErr(t, "TryPop in the body", second(c.TryPop(nil)), nil) // takes what it has, as after Peek
			}
		}
		for i, n := range seen {
			if int(n) != i || len(seen) != 12 {
				t.Fatalf("All yields %v, want 0 to 11", seen)
			}
		}
	})
}

func TestExchangeSeatsRunOut(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		spec := exchangeSpec[pair](t, 4, 1)
		spec.Seats = 3
		s := exchangeSegment(t, b, spec, 0)
		p1, p2 := mustProducer[pair](t, s, nil), mustProducer[pair](t, s, nil)
		c := mustConsumer[pair](t, s, nil)
		for _, err := range []error{second(NewProducer[pair](s, nil)), second(NewConsumer[pair](s, nil))} {
			if !isOneLine(err, shm.ErrBusy) {
				t.Errorf("a fourth end on three seats: %v, want ErrBusy", err)
			}
		}
		wantErr(t, "TryPush", p2.TryPush(pairOf(1)), nil)
		wantErr(t, "Close", p2.Close(), nil)
		c2 := mustConsumer[pair](t, s, nil) // any role gets any seat
		wantErr(t, "TryPush", p1.TryPush(pairOf(2)), nil)
		for n, c := range []*Consumer[pair]{c2, c} {
			if v, err := c.TryPop(); v != pairOf(uint64(n+1)) || err != nil {
				t.Errorf("TryPop = %x, %v", v, err)
			}
		}
	})
}

// A message in hand at Close goes to whoever comes next, and what was released of its block does not.
func TestExchangeCloseWithMessageInHand(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, by := range []string{"running", "later", "parked", "second to hand it on"} {
			s := exchangeSegment(t, b, exchangeSpec[pair](t, 4, 8), 0)
			p, c, other := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil), mustConsumer[pair](t, s, parkAtOnce)
			wantErr(t, "TryPop", second(other.TryPop()), ErrEmpty) // it has looked for orphans, there was none
			wantErr(t, "TryPushN", second(p.TryPushN([]pair{pairOf(0), pairOf(1), pairOf(2)})), nil)
			wantErr(t, "TryPop", second(c.TryPop()), nil)
			wantErr(t, "Peek", second(c.Peek()), nil) // number 1
			got := make(chan pair, 1)
			if by == "parked" {
				go func() {
					v, _ := other.Pop(background)
					got <- v
				}()
				until(t, "the other consumer sleeps", func() bool { return statsOf(s).Parks > 0 })
			}
			wantErr(t, "Close", c.Close(), nil)
			next := other
			switch by {
			case "later":
				next = mustConsumer[pair](t, s, nil)
			case "second to hand it on":
				next = mustConsumer[pair](t, s, nil)
				wantErr(t, "TryPop", second(next.TryPop()), nil) // 1, from its own seat: it sat down there
				if v, err := next.Peek(); err != nil || *v != pairOf(2) {
					t.Fatal(v, err)
				}
				wantErr(t, "Close", next.Close(), nil)
				if v, err := other.Peek(); err != nil || *v != pairOf(2) || !other.Redelivered() { // adopted
					t.Fatal(by, v, err)
				}
				third := mustConsumer[pair](t, s, nil)
				wantErr(t, "TryPop", second(third.TryPop()), ErrEmpty)
				wantErr(t, "Close", other.Close(), nil)
				if v, err := third.TryPop(); err != nil || v != pairOf(2) || !third.Redelivered() {
					t.Errorf("the third to have it in hand: %x, %v, redelivered %v", v, err, third.Redelivered())
				}
				continue
			case "parked":
				select {
				case v := <-got:
					if v != pairOf(1) || !other.Redelivered() {
						t.Errorf("Pop = %x, redelivered %v, want number 1", v, other.Redelivered())
					}
				case <-time.After(hangLimit):
					t.Fatal("nobody told the sleeper about the message")
				}
				if st := statsOf(s); st.Rescues != 0 {
					t.Errorf("the sleeper found it by itself: %+v", st)
				}
			}
			first := uint64(1)
			if by == "parked" {
				first = 2
			}
			for n := first; n < 3; n++ {
				if v, err := next.TryPop(); v != pairOf(n) || err != nil || !next.Redelivered() {
					t.Errorf("%s: TryPop = %x, %v, redelivered %v, want number %d", by, v, err, next.Redelivered(), n)
				}
			}
			wantErr(t, "TryPop", second(next.TryPop()), ErrEmpty)
			wantErr(t, "TryPush", p.TryPush(pairOf(9)), nil)
			if v, err := next.TryPop(); v != pairOf(9) || err != nil || next.Redelivered() {
				t.Errorf("%s: TryPop = %x, %v, redelivered %v, want a new one", by, v, err, next.Redelivered())
			}
			if st := statsOf(s); st.Redelivered == 0 {
				t.Errorf("%s: %+v", by, st)
			}
		}
	})
}

// One call of TryPopN does not mix what is redelivered with what is not.
func TestExchangeRedeliveredBatch(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		s := exchangeSegment(t, b, exchangeSpec[pair](t, 4, 2), 0)
		p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
		wantErr(t, "TryPushN", second(p.TryPushN([]pair{pairOf(0), pairOf(1), pairOf(2), pairOf(3)})), nil)
		wantErr(t, "Peek", second(c.Peek()), nil)
		wantErr(t, "Close", c.Close(), nil)
		c = mustConsumer[pair](t, s, nil)
		dst := make([]pair, 4)
		for _, again := range []bool{true, false} {
			if n, err := c.TryPopN(dst); n != 2 || err != nil || c.Redelivered() != again {
				t.Errorf("TryPopN = %d, %v, redelivered %v, want 2 and %v", n, err, c.Redelivered(), again)
			}
		}
	})
}

// A handle that stood still while millions went by goes on at once.
func TestExchangeIdleHandle(t *testing.T) {
	millions := uint64(2_000_000)
	if testing.Short() {
		millions /= 10
	}
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, slots := range []int{1, 64} {
			s := exchangeSegment(t, b, exchangeSpec[pair](t, slots, 1), 1<<32-100)
			p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
			idleP, idleC := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
			for n := range millions {
				if err := p.TryPush(pairOf(n)); err != nil {
					t.Fatal(err)
				}
				if v, err := c.TryPop(); v != pairOf(n) || err != nil {
					t.Fatal(n, v, err)
				}
			}
			wantErr(t, "TryPop of an empty ring by an idle handle", second(idleC.TryPop()), ErrEmpty)
			wantErr(t, "TryPush by an idle handle", idleP.TryPush(pairOf(1)), nil)
			if v, err := idleC.TryPop(); v != pairOf(1) || err != nil {
				t.Errorf("TryPop by an idle handle: %x, %v", v, err)
			}
			if idleP.x.pos != p.x.pos+1 || idleC.x.pos != c.x.pos+1 {
				t.Errorf("the idle handles are at %d and %d, the others at %d and %d", idleP.x.pos, idleC.x.pos, p.x.pos, c.x.pos)
			}
		}
	})
}

// Two Segments on one file in one process are two parties.
func TestExchangeTwoSegments(t *testing.T) {
	s := exchangeSegment(t, plainBed(t), exchangeSpec[pair](t, 4, 1), 0)
	other := secondSegment(t, s)
	p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, other, parkAtOnce)
	held := mustConsumer[pair](t, s, nil)
	done := make(chan error, 1)
	go func() {
		for n := range uint64(2000) {
			if err := p.Push(context.Background(), pairOf(n)); err != nil {
				done <- err
				return
			}
		}
		done <- s.Shutdown()
	}()
	finishes(t, "a stream between two segments", func() {
		n := uint64(0)
		for v, err := range c.All(t.Context()) {
			if v != pairOf(n) || err != nil {
				t.Fatalf("All yields %x, %v, want %d", v, err, n)
			}
			n++
		}
		if n != 2000 {
			t.Errorf("%d of 2000 came", n)
		}
	})
	wantErr(t, "the producer", <-done, nil)
	if n, err := other.Reap(); n != 0 || err != nil {
		t.Errorf("Reap of living seats of another segment = %d, %v", n, err)
	}
	wantIs(t, "Close of a segment with ends", s.Close(), shm.ErrBusy)
	_ = held
}
