package ring

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"ringway/internal/race"
	"ringway/shm"
)

// The oracle is a slice. It says what a ring of elements answers to any sequence
// of calls; operations are drawn at random.
type oracle struct {
	t        *testing.T
	random   *rand.Rand
	queue    []pair
	slots    int
	pushed   uint64
	shut     bool // Shutdown was called
	trace    []string
	reserved *pair
	peeked   bool
}

func (o *oracle) note(format string, args ...any) {
	if o.trace = append(o.trace, fmt.Sprintf(format, args...)); len(o.trace) > 30 {
		o.trace = o.trace[1:]
	}
}

func (o *oracle) fail(format string, args ...any) {
	o.t.Helper()
	o.t.Fatalf("%s\nafter %q", fmt.Sprintf(format, args...), o.trace)
}

// wantPush says what a push of n must answer: how many, and which error.
func (o *oracle) wantPush(n int) (int, error) {
	free := o.slots - len(o.queue)
	switch {
	case n == 0:
		return 0, nil
	case o.shut:
		return 0, shm.ErrClosed
	case free == 0:
		return 0, ErrFull
	}
	return min(n, free), nil
}

// wantPop says what a pop of up to n must answer.
func (o *oracle) wantPop(n int) ([]pair, error) {
	switch {
	case n == 0:
		return nil, nil
	case len(o.queue) > 0:
		return o.queue[:min(n, len(o.queue))], nil
	case o.shut:
		return nil, shm.ErrClosed
	}
	return nil, ErrEmpty
}

// answered compares an answer with the oracle's.
func (o *oracle) answered(what string, n int, err error, wantN int, want error) {
	o.t.Helper()
	o.note("%s = %d, %v", what, n, err)
	if n != wantN || err != want {
		o.fail("%s = %d, %v, want %d, %v", what, n, err, wantN, want)
	}
}

func (o *oracle) next(n int) []pair {
	vs := make([]pair, n)
	for i := range vs {
		vs[i] = pairOf(o.pushed + uint64(i))
	}
	return vs
}

func (o *oracle) accept(vs []pair) {
	o.queue = append(o.queue, vs...)
	o.pushed += uint64(len(vs))
}

// takeOut checks elements that came out and forgets them.
func (o *oracle) takeOut(what string, vs ...pair) {
	o.t.Helper()
	for i, v := range vs {
		if v != o.queue[i] {
			o.fail("%s gives %x, want %x", what, v, o.queue[i])
		}
	}
	o.queue = o.queue[len(vs):]
	o.peeked = false
}

// step makes one random call on both the ring and the oracle.
func (o *oracle) step(s *shm.Segment, p *Producer[pair], c *Consumer[pair]) {
	n := o.random.IntN(o.slots + 3)
	op := o.random.IntN(12)
	if o.reserved != nil && op < 4 {
		op = 4 // pushing now is a bug of ours
	}
	switch op {
	case 0:
		k, want := o.wantPush(1)
		vs := o.next(k)
		err := p.TryPush(pairOf(o.pushed))
		o.answered("TryPush", k, err, k, want)
		o.accept(vs)
	case 1, 2:
		k, want := o.wantPush(n)
		if o.shut && n == 0 {
			break // tells, or does not
		}
		var got int
		var err error
		if vs := o.next(n); op == 1 || k < n { // PushN of more would wait
			got, err = p.TryPushN(vs)
		} else {
			got, err = p.PushN(background, vs)
		}
		o.answered(fmt.Sprint("TryPushN ", n), got, err, k, want)
		o.accept(o.next(k))
	case 3:
		slot, err := p.Reserve()
		_, want := o.wantPush(1)
		if o.shut && err == nil { // it does not know yet; Commit will
			want = nil
		}
		o.answered("Reserve", 0, err, 0, want)
		o.reserved = slot
	case 4:
		if o.reserved == nil {
			break
		}
		*o.reserved, o.reserved = pairOf(o.pushed), nil
		if o.random.IntN(3) == 0 {
			p.Abort()
			o.note("Abort")
			break
		}
		k, want := o.wantPush(1)
		o.answered("Commit", 0, p.Commit(), 0, want)
		o.accept(o.next(k))
	case 5:
		vs, want := o.wantPop(1)
		v, err := c.TryPop()
		o.answered("TryPop", len(vs), err, len(vs), want)
		if err == nil {
			o.takeOut("TryPop", v)
		}
	case 6, 7:
		vs, want := o.wantPop(n)
		if n == 0 && o.shut {
			break
		}
		dst := make([]pair, n)
		var got int
		var err error
		if op == 6 || want == ErrEmpty {
			got, err = c.TryPopN(dst)
		} else {
			got, err = c.PopN(background, dst)
		}
		if o.shut && got > 0 && got < len(vs) {
			vs = vs[:got] // see TestBatchAfterShutdown
		}
		o.answered(fmt.Sprint("TryPopN ", n), got, err, len(vs), want)
		if n > 0 {
			o.takeOut("TryPopN", dst[:got]...)
		}
	case 8:
		vs, want := o.wantPop(1)
		v, err := c.Peek()
		o.answered("Peek", 0, err, 0, want)
		if err == nil && *v != vs[0] {
			o.fail("Peek gives %x, want %x", *v, vs[0])
		}
		o.peeked = err == nil
	case 9:
		if o.peeked {
			o.note("Release")
			c.Release()
			o.takeOut("Release", o.queue[0])
		}
	case 10:
		ctx, cancel := context.WithCancel(o.t.Context())
		left := n
		if left == 0 || len(o.queue) == 0 {
			cancel() // All ends where nothing is left
		}
		for v, err := range c.All(ctx) {
			if err != nil {
				break
			}
			o.takeOut("All", v)
			if left--; left <= 0 || len(o.queue) == 0 {
				break
			}
		}
		o.note("All %d", n)
		cancel()
	case 11:
		if !o.shut && o.random.IntN(400) == 0 {
			o.note("Shutdown")
			wantErr(o.t, "Shutdown", s.Shutdown(), nil)
			o.shut = true
		}
	}
	if st := p.Stats(); st.Len != len(o.queue) {
		o.fail("Stats = %+v, want Len %d", st, len(o.queue))
	}
}

func steps() int {
	switch {
	case long():
		return 2_000_000
	case race.Enabled:
		return 10_000
	}
	return 60_000
}

// Random calls against the oracle; ends change owners now and then.
func TestTypedOracle(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		seed := seed(t)
		for n, done := uint64(0), 0; done < steps(); n++ {
			random := newRand(seed, n)
			slots := 1 << random.IntN(6)
			s := startAt(b.segment(t, specOf[pair](t, slots)), starts[random.IntN(len(starts))])
			p, c := mustProducer[pair](t, s, nil), mustConsumer[pair](t, s, nil)
			o := &oracle{t: t, random: random, slots: slots}
			for range 3000 {
				done++
				o.step(s, p, c)
				switch random.IntN(500) {
				case 0:
					wantErr(t, "Close", p.Close(), nil)
					p, o.reserved = mustProducer[pair](t, s, nil), nil
					o.note("another producer")
				case 1:
					wantErr(t, "Close", c.Close(), nil)
					c, o.peeked = mustConsumer[pair](t, s, nil), false
					o.note("another consumer")
				}
			}
			// What was accepted and not taken is still to come, and nothing else.
			wantErr(t, "Shutdown", s.Shutdown(), nil)
			rest := 0
			for v, err := range c.All(background) {
				wantErr(t, "All", err, nil)
				o.takeOut("the rest", v)
				rest++
			}
			if len(o.queue) != 0 {
				t.Fatalf("%d elements never came", len(o.queue))
			}
			p.Close()
			c.Close()
		}
	})
}
