package ring

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ringway/internal/order"
	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// Ways to produce and to consume.
const (
	byTry = iota
	byBatch
	inPlace
	byAll
	ways
)

const killBatch = 7 // elements, at most

// count pushes flat out until the ring is shut down, in a random way, and returns
// how many units were answered with nil.
func count(p *Producer[pair], way int) (pushed uint64, err error) {
	batch := make([]pair, killBatch)
	for err == nil {
		n := 1
		switch way {
		case byBatch:
			for i := range batch {
				batch[i] = pairOf(pushed + uint64(i))
			}
			n, err = p.TryPushN(batch)
		case inPlace:
			var slot *pair
			if slot, err = p.Reserve(); err == nil {
				*slot = pairOf(pushed)
				err = p.Commit()
			}
		case byAll:
			n, err = p.PushN(background, []pair{pairOf(pushed)})
		default:
			err = p.TryPush(pairOf(pushed))
		}
		if err == nil {
			pushed += uint64(n)
		} else if err == ErrFull {
			_, err = Wait(context.Background(), p)
		}
	}
	return pushed, err
}

// drain takes everything until the ring ends, in a random way.
func drain(c *Consumer[pair], way int) (taken uint64, err error) {
	take := func(vs ...pair) {
		for _, v := range vs {
			if v != pairOf(taken) {
				panic(fmt.Sprintf("element %d is %x", taken, v))
			}
			taken++
		}
	}
	dst := make([]pair, 2*killBatch)
	for err == nil {
		var v pair
		var n int
		switch way {
		case byBatch:
			n, err = c.PopN(background, dst)
			take(dst[:n]...)
			continue
		case inPlace:
			var slot *pair
			if slot, err = c.Peek(); err == nil {
				v = *slot
				c.Release()
			}
		case byAll:
			for v, bad := range c.All(background) {
				if bad != nil {
					return taken, bad
				}
				take(v)
			}
			return taken, shm.ErrClosed
		default:
			v, err = c.TryPop()
		}
		if err == nil {
			take(v)
		} else if err == ErrEmpty {
			_, err = Wait(context.Background(), c)
		}
	}
	return taken, err
}

func countMsgs(p *MsgProducer, way int) (pushed uint64, err error) {
	for err == nil {
		m := content(pushed, int(pushed%25))
		if way == inPlace {
			var b []byte
			if b, err = p.Reserve(len(m)); err == nil {
				copy(b, m)
				err = p.Commit(len(m))
			}
		} else if way == byTry {
			err = p.TryPush(m)
		} else {
			err = p.Push(background, m)
		}
		if err == nil {
			pushed++
		} else if err == ErrFull {
			_, err = Wait(context.Background(), p)
		}
	}
	return pushed, err
}

func drainMsgs(c *MsgConsumer, way int) (taken uint64, err error) {
	take := func(m []byte) {
		if string(m) != string(content(taken, int(taken%25))) {
			panic(fmt.Sprintf("message %d is %x", taken, m))
		}
		taken++
	}
	for m, bad := range c.All(background) {
		if bad != nil {
			return taken, bad
		}
		take(m)
		if way != byAll {
			break
		}
	}
	var dst []byte
	for err == nil {
		if dst, err = c.Pop(background, dst[:0]); err == nil {
			take(dst)
		}
	}
	return taken, err
}

// shutdownRound runs one stream up to a Shutdown at a random moment.
func shutdownRound(t *testing.T, b bed, random *rand.Rand, messages bool, pause int) uint64 {
	way, how := random.IntN(ways), random.IntN(ways)
	start := starts[random.IntN(len(starts))]
	o := &Options{Spin: time.Duration(random.IntN(2))}
	var s *shm.Segment
	var produce, consume func() (uint64, error)
	var leave func() error
	if messages {
		s = startAt(roundSegment(t, b, msgSpec(t, 64<<random.IntN(5))), start)
		p, err := NewMsgProducer(s, o)
		wantErr(t, "NewMsgProducer", err, nil)
		c, err := NewMsgConsumer(s, o)
		wantErr(t, "NewMsgConsumer", err, nil)
		produce = func() (uint64, error) { return countMsgs(p, way) }
		consume = func() (uint64, error) { return drainMsgs(c, how) }
		leave = func() error { return errors.Join(p.Close(), c.Close(), s.Close()) }
	} else {
		s = startAt(roundSegment(t, b, specOf[pair](t, 1<<random.IntN(6))), start)
		p, err := NewProducer[pair](s, o)
		wantErr(t, "NewProducer", err, nil)
		c, err := NewConsumer[pair](s, o)
		wantErr(t, "NewConsumer", err, nil)
		produce = func() (uint64, error) { return count(p, way) }
		consume = func() (uint64, error) { return drain(c, how) }
		leave = func() error { return errors.Join(p.Close(), c.Close(), s.Close()) }
	}
	var pushed, taken uint64
	var perr, cerr error
	done := make(chan struct{}, 2)
	go func() { pushed, perr = produce(); done <- struct{}{} }()
	go func() { taken, cerr = consume(); done <- struct{}{} }()
	after := uint64(random.IntN(pause)) // so many positions are filled, most of the time
	for i := 0; i < 5000 && loadPosition(&s.Control().Tail)-start < after; i++ {
		order.Pause()
	}
	wantErr(t, "Shutdown", s.Shutdown(), nil)
	for range 2 {
		awaitDone(t, "an end after Shutdown", done)
	}
	if perr != shm.ErrClosed || cerr != shm.ErrClosed {
		t.Fatalf("the ends stop with %v and %v, want ErrClosed", perr, cerr)
	}
	if pushed != taken {
		t.Fatalf("way %d to %d from %d, messages %v: %d pushes returned nil and %d were delivered", way, how, start, messages, pushed, taken)
	}
	st := statsOf(s)
	if st.Len != 0 || !messages && st.Tail != start+pushed {
		t.Fatalf("drained, and the statistics say %+v", st)
	}
	wantErr(t, "a second Shutdown", s.Shutdown(), nil)
	wantErr(t, "leaving", leave(), nil)
	return pushed
}

// roundSegment is bed.segment without a clean-up for each of thousands of rounds.
func roundSegment(t *testing.T, b bed, spec layout.Spec) *shm.Segment {
	t.Helper()
	spec.Fence, spec.Seats = b.fence, 2
	create := shm.CreateTemp
	if b.heap {
		create = shm.Heap
	}
	s, err := create(spec)
	wantErr(t, "create", err, nil)
	return s
}

func TestShutdownIsExact(t *testing.T) {
	rounds := 1000
	if long() {
		rounds = 50_000
	}
	if race.Enabled {
		rounds /= 4
	}
	onBeds(t, func(t *testing.T, b bed) {
		random := newRand(seed(t), 0)
		total, busy := uint64(0), 0
		for n := range rounds {
			pushed := shutdownRound(t, b, random, n%2 == 0, 1<<(n/2%10))
			if total += pushed; pushed > 0 {
				busy++
			}
		}
		t.Logf("%d rounds, %d with traffic, %d units, all accounted for", rounds, busy, total)
		if busy == 0 {
			t.Error("no round was shut down in full flow")
		}
	})
}
