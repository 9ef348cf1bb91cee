package ring

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// smear writes one damaging word into an MPMC ring: mostly a slot near where the ends
// are, one that looks right as often as not.
func smear(s *shm.Segment, random *rand.Rand) {
	c, h := s.Control(), s.Header()
	g := &h.Geometry
	slots := uint64(g.Spec.Cap)
	near := func(pos uint64) uint64 {
		switch random.IntN(4) {
		case 0:
			return random.Uint64()
		case 1:
			return pos + slots*(uint64(random.IntN(5))-2)
		}
		return pos + uint64(random.IntN(40)) - 20
	}
	block := func() uint64 {
		if random.IntN(3) == 0 {
			return random.Uint64() >> random.IntN(64)
		}
		return random.Uint64N(g.Blocks)
	}
	codec := g.SlotCodec()
	blockMask := uint64(codec.Full() - 1)
	tail := loadPosition(&c.Tail)
	sent, freed := layout.VersionsAt(s.Memory(), g)
	line := &layout.SeatsAt(s.Memory(), g.Spec.Seats)[random.IntN(g.Spec.Seats)]
	switch random.IntN(16) {
	case 0:
		atomic.StoreUint64(&c.Head, near(tail))
	case 1:
		atomic.StoreUint64(&c.Tail, near(tail))
	case 2:
		c.Orphans.Add(1)
	case 3:
		if random.IntN(8) == 0 {
			c.State.Store(uint32(random.IntN(6)))
		}
	case 4:
		versions := sent
		if random.IntN(2) == 0 {
			versions = freed
		}
		atomic.StoreUint64(&versions[random.Uint64N(g.Blocks)], 2*near(tail)+uint64(random.IntN(2)))
	case 5: // how much a block holds
		if g.Lead() != 0 {
			at := g.BlockOff(random.Uint64N(g.Blocks))
			storeWord(s.Memory(), at, random.Uint64()>>random.IntN(64))
		}
	case 6:
		atomic.StoreUint64(&line.Rec, uint64(layout.MakeSeatRec(random.IntN(6), block()&blockMask, block()&blockMask)))
	case 7:
		atomic.StoreUint64(&line.Part, random.Uint64()>>random.IntN(64))
	case 8:
		atomic.StoreUint64(&line.Ver, 2*near(tail)+uint64(random.IntN(2)))
	case 9:
		if random.IntN(8) == 0 {
			line.State.Store(uint32(random.IntN(5)))
		}
	default:
		pos := near(tail)
		word := uint64(codec.Pack(2*pos+uint64(random.IntN(2)), block()&blockMask))
		if random.IntN(32) == 0 {
			word |= uint64(codec.Seal())
		}
		atomic.StoreUint64(&layout.WordsAt(s.Memory(), g)[pos&(slots-1)], word)
	}
}

// onward repairs a damaged MPMC ring as no honest peer would, at some position.
func onward(s *shm.Segment, random *rand.Rand) {
	h := s.Header()
	exchangeAt(s, random.Uint64()>>random.IntN(64))
	for i := range layout.SeatsAt(s.Memory(), h.Geometry.Spec.Seats) {
		if random.IntN(2) == 0 {
			line := &layout.SeatsAt(s.Memory(), h.Geometry.Spec.Seats)[i]
			atomic.StoreUint64(&line.Rec, uint64(layout.MakeSeatRec(layout.RecHeld, uint64(h.Geometry.Spec.Cap+i), 0)))
		}
	}
	s.Control().State.Store(layout.StateOpen)
}

// handle is what the four kinds of ends have in common.
type handle interface{ Close() error }

// assault runs one end at random until an instant. open takes a seat; call makes one call.
func assault[E handle](t *testing.T, s *shm.Segment, random *rand.Rand, until time.Time, open func() (E, error), call func(context.Context, E, int) error) (calls, bad int, worst time.Duration) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("a damaged ring of %v made a call panic: %v\n%s", s.Spec(), r, debug.Stack())
		}
	}()
	var e E
	have := false
	defer func() {
		if have {
			_ = e.Close() // its seat may be scribbled on
		}
	}()
	for ; time.Now().Before(until); calls++ {
		begin := time.Now()
		var err error
		if !have {
			e, err = open()
			have = err == nil
		} else {
			ctx, cancel := context.WithTimeoutCause(context.Background(), 2*time.Millisecond, errStop)
			err = call(ctx, e, random.IntN(8))
			cancel()
		}
		worst = max(worst, time.Since(begin))
		switch {
		case !typedError(err):
			t.Errorf("a damaged ring answers %v", err)
			return
		case errors.Is(err, ErrCorrupt), errors.Is(err, shm.ErrClosed), errors.Is(err, shm.ErrBusy):
			bad++
			if have && e.Close() == nil {
				have = false
			}
			onward(s, random)
		}
	}
	return
}

// Whatever a peer writes into the memory of an MPMC ring, calls end, and say what is wrong
// if they say anything.
func TestHostileExchange(t *testing.T) {
	needSegments(t)
	rounds := 40
	if long() {
		rounds = 3000
	}
	seed := seed(t)
	var calls, bad int
	var worst time.Duration
	for n := range rounds {
		random := newRand(seed, uint64(n))
		slots := 1 << random.IntN(8)
		spec := exchangeSpec[pair](t, slots, 1+2*random.IntN(2))
		messages := random.IntN(3) == 0
		if messages {
			spec = exchangeMsgSpec(t, slots, 1+random.IntN(100))
		}
		s, err := shm.CreateTemp(spec)
		wantErr(t, "CreateTemp", err, nil)
		exchangeAt(s, starts[random.IntN(len(starts))])
		end := time.Now().Add(20 * time.Millisecond)
		done := make(chan struct{})
		report := make(chan func(), 4)
		go func() {
			defer close(done)
			for time.Now().Before(end) {
				smear(s, random)
				pauseUpTo(random, 40)
			}
		}()
		for i := range 4 {
			own := newRand(seed^uint64(n)<<8, uint64(i))
			go func() {
				var k, b int
				var w time.Duration
				switch {
				case messages && i < 2:
					k, b, w = assault(t, s, own, end, func() (*MsgProducer, error) { return NewMsgProducer(s, parkAtOnce) }, assaultMsgs)
				case messages:
					k, b, w = assault(t, s, own, end, func() (*MsgConsumer, error) { return NewMsgConsumer(s, parkAtOnce) }, assaultedMsgs)
				case i < 2:
					k, b, w = assault(t, s, own, end, func() (*Producer[pair], error) { return NewProducer[pair](s, parkAtOnce) }, assaultPushes)
				default:
					k, b, w = assault(t, s, own, end, func() (*Consumer[pair], error) { return NewConsumer[pair](s, parkAtOnce) }, assaultPops)
				}
				report <- func() { calls, bad, worst = calls+k, bad+b, max(worst, w) }
			}()
		}
		finishes(t, "the ends of a damaged ring", func() {
			for range 4 {
				(<-report)()
			}
			<-done
		})
		_ = s.Close() // seats that were scribbled on are left to it
		if t.Failed() {
			t.Fatalf("in round %d of seed %d", n, seed)
		}
	}
	t.Logf("%d rounds, %d calls, %d said that something is wrong, worst %v", rounds, calls, bad, worst)
	if bad == 0 {
		t.Error("nobody noticed anything")
	}
}

func assaultPushes(ctx context.Context, p *Producer[pair], n int) (err error) {
	switch {
	case n < 4:
		err = p.TryPush(pair{})
	case n < 6:
		_, err = p.TryPushN(make([]pair, n))
	case n < 7:
		if _, err = p.Reserve(); err == nil {
			err = p.Commit()
			p.Abort()
		}
	default:
		err = p.Push(ctx, pair{})
	}
	return err
}

func assaultPops(ctx context.Context, c *Consumer[pair], n int) (err error) {
	switch {
	case n < 3:
		_, err = c.TryPop()
	case n < 5:
		_, err = c.TryPopN(make([]pair, n))
	case n < 6:
		if _, err = c.Peek(); err == nil {
			c.Release()
		}
	case n < 7:
		for _, err = range c.All(ctx) {
			break
		}
	default:
		_, err = c.Pop(ctx)
	}
	return err
}

func assaultMsgs(ctx context.Context, p *MsgProducer, n int) (err error) {
	switch {
	case n < 5:
		err = p.TryPush(make([]byte, n*p.MaxLen()/5))
	case n < 7:
		if _, err = p.Reserve(p.MaxLen()); err == nil {
			err = p.Commit(p.MaxLen() / 2)
			p.Abort()
		}
	default:
		err = p.Push(ctx, nil)
	}
	return err
}

func assaultedMsgs(ctx context.Context, c *MsgConsumer, n int) (err error) {
	switch {
	case n < 4:
		_, err = c.TryPop(nil)
	case n < 6:
		if _, err = c.Peek(); err == nil {
			c.Release()
		}
	case n < 7:
		for _, err = range c.All(ctx) {
			break
		}
	default:
		_, err = c.Pop(ctx, nil)
	}
	return err
}
