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

// typedError reports whether err is one that the API names.
func typedError(err error) bool {
	for _, is := range []error{nil, ErrFull, ErrEmpty, ErrCorrupt, shm.ErrClosed, shm.ErrBusy, errStop} {
		if err == is || errors.Is(err, is) {
			return true
		}
	}
	return false
}

// victim runs one end at random for a while, taking its seat anew after every error
// that sticks, and reports what must not happen.
type victim struct {
	t      *testing.T
	s      *shm.Segment
	random *rand.Rand
	until  time.Time
	worst  time.Duration
	calls  int
	seen   map[string]int
}

func (v *victim) run(turn func(ctx context.Context) error) {
	defer func() {
		if r := recover(); r != nil {
			v.t.Errorf("a damaged ring of %v made a call panic: %v\n%s", v.s.Spec(), r, debug.Stack())
		}
	}()
	for time.Now().Before(v.until) {
		ctx, cancel := context.WithTimeoutCause(context.Background(), 2*time.Millisecond, errStop)
		begin := time.Now()
		err := turn(ctx)
		v.worst = max(v.worst, time.Since(begin))
		cancel()
		v.calls++
		switch {
		case !typedError(err):
			v.t.Errorf("a damaged ring answers %v", err)
			return
		case errors.Is(err, ErrCorrupt):
			v.seen["corrupt"]++
			c := v.s.Control() // on with it, as no honest peer would
			tail := loadPosition(&c.Tail) &^ 7
			atomic.StoreUint64(&c.Tail, tail)
			atomic.StoreUint64(&c.Head, tail)
			c.State.Store(layout.StateOpen)
		case errors.Is(err, shm.ErrClosed):
			v.seen["closed"]++
			v.s.Control().State.Store(layout.StateOpen)
		}
	}
}

func (v *victim) produce() {
	dst := make([]pair, 9)
	var p *Producer[pair]
	var mp *MsgProducer
	messages := v.s.Spec().Payload == layout.Message
	v.run(func(ctx context.Context) (err error) {
		n := v.random.IntN(9)
		if p == nil && mp == nil {
			if messages {
				mp, err = NewMsgProducer(v.s, parkAtOnce)
			} else {
				p, err = NewProducer[pair](v.s, parkAtOnce)
			}
			return err
		}
		switch {
		case messages && n < 4:
			err = mp.TryPush(make([]byte, v.random.IntN(mp.MaxLen()+1)))
		case messages && n < 8:
			if _, err = mp.Reserve(n); err == nil {
				err = mp.Commit(n)
			}
		case messages:
			err = mp.Push(ctx, dst8[:])
		case n < 3:
			err = p.TryPush(pair{})
		case n < 6:
			_, err = p.TryPushN(dst[:n])
		case n < 8:
			if _, err = p.Reserve(); err == nil {
				err = p.Commit()
			}
		default:
			err = p.Push(ctx, pair{})
		}
		if errors.Is(err, ErrCorrupt) || errors.Is(err, shm.ErrClosed) {
			var e interface{ Close() error } = p
			if messages {
				e = mp
			}
			if e.Close() == nil { // else: somebody wrote into its seat, it stays
				p, mp = nil, nil
			}
		}
		return err
	})
	if p != nil {
		p.Close()
	}
	if mp != nil {
		mp.Close()
	}
}

var dst8 [8]byte

func (v *victim) consume() {
	dst := make([]pair, 9)
	var c *Consumer[pair]
	var mc *MsgConsumer
	messages := v.s.Spec().Payload == layout.Message
	v.run(func(ctx context.Context) (err error) {
		n := v.random.IntN(9)
		if c == nil && mc == nil {
			if messages {
				mc, err = NewMsgConsumer(v.s, parkAtOnce)
			} else {
				c, err = NewConsumer[pair](v.s, parkAtOnce)
			}
			return err
		}
		switch {
		case messages && n < 4:
			_, err = mc.TryPop(nil)
		case messages && n < 7:
			if _, err = mc.Peek(); err == nil {
				mc.Release()
			}
		case messages && n < 8:
			for _, err = range mc.All(ctx) {
				if v.random.IntN(4) == 0 {
					break
				}
			}
		case messages:
			_, err = mc.Pop(ctx, nil)
		case n < 3:
			_, err = c.TryPop()
		case n < 5:
			_, err = c.TryPopN(dst[:n])
		case n < 7:
			if _, err = c.Peek(); err == nil {
				c.Release()
			}
		case n < 8:
			for _, err = range c.All(ctx) {
				if v.random.IntN(4) == 0 {
					break
				}
			}
		default:
			_, err = c.Pop(ctx)
		}
		if errors.Is(err, ErrCorrupt) || errors.Is(err, shm.ErrClosed) {
			var e interface{ Close() error } = c
			if messages {
				e = mc
			}
			if e.Close() == nil {
				c, mc = nil, nil
			}
		}
		return err
	})
	if c != nil {
		c.Close()
	}
	if mc != nil {
		mc.Close()
	}
}
