package ring

import (
	"context"
	"errors"
	"testing"

	"ringway/shm"
)

var errStop = errors.New("stopped by the test")

// ring100 holds the values 0 to 99, and more than All releases at once.
func ring100(t *testing.T, b bed, start uint64) (*shm.Segment, *Producer[uint64], *Consumer[uint64]) {
	s := startAt(b.segment(t, specOf[uint64](t, 128)), start)
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	for n := range uint64(100) {
		wantErr(t, "TryPush", p.TryPush(n), nil)
	}
	return s, p, c
}

// left checks that exactly the values from on up to 99 are still to be had.
func left(t *testing.T, c *Consumer[uint64], from uint64) {
	t.Helper()
	if st := c.Stats(); st.Len != int(100-from) {
		t.Errorf("%d values left, want %d", st.Len, 100-from)
	}
	for n := from; n < 100; n++ {
		if v, err := c.TryPop(); v != n || err != nil {
			t.Fatalf("TryPop = %d, %v, want %d", v, err, n)
		}
	}
	_, err := c.TryPop()
	wantErr(t, "TryPop at the end", err, ErrEmpty)
}

func TestAll(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			for _, stop := range []uint64{0, 1, 63, 64, 65, 98} {
				_, _, c := ring100(t, b, start)
				n := uint64(0)
				for v, err := range c.All(t.Context()) {
					if v != n || err != nil {
						t.Fatalf("All yields %d, %v, want %d", v, err, n)
					}
					if n == stop {
						break
					}
					n++
				}
				left(t, c, stop+1)

				_, _, c = ring100(t, b, start)
				wantPanic(t, "the body", func() {
					for v := range c.All(background) {
						if v == stop {
							panic(errStop)
						}
					}
				})
				left(t, c, stop+1)
			}
		}
	})
}

func TestAllEndsWithContext(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		_, _, c := ring100(t, b, 0)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n, errs := uint64(0), 0
		for v, err := range c.All(ctx) {
			if err != nil {
				wantErr(t, "All of a cancelled context", err, errStop)
				errs++
				continue
			}
			if v != n {
				t.Fatalf("All yields %d, want %d", v, n)
			}
			if n++; n == 100 {
				cancel(errStop) // it finds the ring empty, and then this
			}
		}
		if n != 100 || errs != 1 {
			t.Errorf("%d values and %d errors, want 100 and 1", n, errs)
		}
		left(t, c, 100)
	})
}

func TestAllEndsWithShutdown(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s, p, c := ring100(t, b, starts[4])
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		n := uint64(0)
		for v, err := range c.All(t.Context()) {
			if v != n || err != nil {
				t.Fatalf("All yields %d, %v, want %d", v, err, n)
			}
			n++
		}
		if n != 100 {
			t.Errorf("All ended after %d of 100", n)
		}
		for range c.All(t.Context()) {
			t.Error("All yields after the end")
		}
		_, err := c.TryPop()
		wantErr(t, "TryPop at the end", err, shm.ErrClosed)
		wantErr(t, "TryPush at the end", p.TryPush(1), shm.ErrClosed)
	})
}

func TestAllSaysCorruptOnce(t *testing.T) {
	b := plainBed(t)
	s, _, c := ring100(t, b, 0)
	n, errs := 0, 0
	for _, err := range c.All(t.Context()) {
		if err != nil {
			wantIs(t, "All of a corrupt ring", err, ErrCorrupt)
			errs++
			continue
		}
		if n++; n == 100 {
			s.MarkCorrupt(5, 0)
		}
	}
	if n != 100 || errs != 1 {
		t.Errorf("%d values and %d errors, want 100 and 1", n, errs)
	}
}

// Close in the body ends the loop, and what was yielded by then is dealt with: the
// next consumer gets nothing twice that the loop body has seen in full.
func TestCloseInsideAll(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s, _, c := ring100(t, b, 0)
		n := 0
		for range c.All(t.Context()) {
			if n++; n == 3 {
				wantErr(t, "Close in the body", c.Close(), nil)
			}
		}
		if n != 3 {
			t.Errorf("the loop went on to %d after Close", n)
		}
		next := mustConsumer[uint64](t, s, nil)
		v, err := next.TryPop()
		if err != nil || v > 3 || v < 2 {
			t.Errorf("the next consumer begins with %d, %v; the loop had finished with 0 and 1 and closed at 2", v, err)
		}
	})
}

// Popping in the body takes what follows: a value comes once.
func TestPopInsideAll(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for name, pop := range map[string]func(c *Consumer[uint64]) (uint64, error){
			"TryPop": (*Consumer[uint64]).TryPop,
			"Pop":    func(c *Consumer[uint64]) (uint64, error) { return c.Pop(background) },
			"TryPopN": func(c *Consumer[uint64]) (uint64, error) {
				dst := make([]uint64, 1)
				_, err := c.TryPopN(dst)
				return dst[0], err
			},
			"Peek": func(c *Consumer[uint64]) (uint64, error) {
				v, err := c.Peek()
				if err != nil {
					return 0, err
				}
				defer c.Release()
				return *v, nil
			},
		} {
			s, _, c := ring100(t, b, starts[4])
			wantErr(t, "Shutdown", s.Shutdown(), nil)
			var seen []uint64
			for v := range c.All(t.Context()) {
				seen = append(seen, v)
				if v%10 == 5 {
					v, err := pop(c)
					wantErr(t, name+" in the body", err, nil)
					seen = append(seen, v)
				}
			}
			for i, v := range seen {
				if v != uint64(i) || len(seen) != 100 {
					t.Errorf("%s in the body: got %d values, number %d is %d: %v", name, len(seen), i, v, seen[:min(len(seen), i+4)])
					break
				}
			}
		}
	})
}

func TestMsgAll(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			s := startAt(b.segment(t, msgSpec(t, 256)), start)
			p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
			for n := range byte(10) {
				wantErr(t, "TryPush", p.TryPush([]byte{n}), nil)
			}
			next := byte(0)
			loop := func(body func(m []byte) bool) (errs []error) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if p.Stats().Len == 0 {
					cancel(errStop)
				}
				defer cancel(nil)
				for m, err := range c.All(ctx) {
					if err != nil {
						errs = append(errs, err)
						continue
					}
					if len(m) != 1 || m[0] != next || cap(m) != 1 {
						t.Fatalf("All yields %v, want %d", m, next)
					}
					next++
					if !body(m) {
						break
					}
				}
				return errs
			}
			loop(func([]byte) bool { return false })
			wantPanic(t, "the body", func() { loop(func([]byte) bool { panic(errStop) }) })
			loop(func([]byte) bool { c.Release(); return false }) // its own release is not repeated
			loop(func([]byte) bool {
				m, err := c.TryPop(nil) // takes what it has before it, as after Peek
				if err != nil || m[0] != next-1 {
					t.Fatalf("TryPop in the body = %v, %v, want %d", m, err, next-1)
				}
				return next < 6
			})
			wantErr(t, "Shutdown", s.Shutdown(), nil)
			if errs := loop(func([]byte) bool { return true }); errs != nil || next != 10 {
				t.Errorf("All to the shutdown: %v, %d messages", errs, next)
			}
			wantErr(t, "TryPush at the end", p.TryPush(nil), shm.ErrClosed)
			wantErr(t, "TryPop at the end", second(c.TryPop(nil)), shm.ErrClosed)

			s2 := b.segment(t, msgSpec(t, 256))
			p, c = mustMsgProducer(t, s2, nil), mustMsgConsumer(t, s2, nil)
			if errs := loop(nil); len(errs) != 1 || errs[0] != errStop {
				t.Errorf("All of a cancelled context: %v", errs)
			}
			wantErr(t, "TryPush", p.TryPush([]byte{next}), nil)
			loop(func([]byte) bool { wantErr(t, "Close in the body", c.Close(), nil); return true })
			if st := p.Stats(); st.Len > 16 {
				t.Errorf("after Close in the body: %+v", st)
			}
		}
	})
}
