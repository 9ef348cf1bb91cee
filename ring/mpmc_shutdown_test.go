package ring

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"ringway/internal/race"
	"ringway/layout"
	"ringway/shm"
)

// labelled is element seq of producer id.
type labelled struct{ ID, Seq, Check uint64 }

func label(id, seq uint64) labelled {
	return labelled{id, seq, (id<<32 ^ seq + 1) * 0x9e3779b97f4a7c15}
}

// pushAll pushes until the ring is shut down and returns how many were answered with nil.
func pushAll(p *Producer[labelled], id uint64, way int) (pushed uint64, err error) {
	batch := make([]labelled, killBatch)
	for err == nil {
		n := 1
		switch way {
		case byBatch:
			for i := range batch {
				batch[i] = label(id, pushed+uint64(i))
			}
			n, err = p.TryPushN(batch)
		case inPlace:
			if !p.reserved {
				var slot *labelled
				if slot, err = p.Reserve(); err == nil {
					*slot = label(id, pushed)
				}
			}
			if err == nil {
				err = p.Commit()
			}
		case byAll:
			n, err = p.PushN(background, batch[:copy(batch, []labelled{label(id, pushed), label(id, pushed+1)})])
			pushed += uint64(n)
			continue
		default:
			err = p.TryPush(label(id, pushed))
		}
		if err == nil || way == byBatch {
			pushed += uint64(n)
		}
		if err == ErrFull {
			_, err = Wait(context.Background(), p)
		}
	}
	return pushed, err
}

// popAll takes everything until the ring ends.
func popAll(c *Consumer[labelled], way int, take func(vs ...labelled)) (err error) {
	dst := make([]labelled, 2*killBatch)
	for err == nil {
		switch way {
		case byBatch:
			var n int
			n, err = c.PopN(background, dst)
			take(dst[:n]...)
		case inPlace:
			var v *labelled
			if v, err = c.Peek(); err == nil {
				take(*v)
				c.Release()
			}
		case byAll:
			for v, bad := range c.All(background) {
				if bad != nil {
					return bad
				}
				take(v)
			}
			return shm.ErrClosed
		default:
			var v labelled
			if v, err = c.TryPop(); err == nil {
				take(v)
			}
		}
		if err == ErrEmpty {
			_, err = Wait(context.Background(), c)
		}
	}
	return err
}

// Several on both sides: exactly what was answered with nil comes, once, and what one
// consumer gets of one producer comes in order.
func exchangeRound(t *testing.T, b bed, random *rand.Rand) (total uint64) {
	spec := exchangeSpec[labelled](t, 1<<random.IntN(8), 1+random.IntN(2)*7)
	starts := exchangeStarts(spec)
	s := exchangeAt(roundExchange(t, b, spec), starts[random.IntN(len(starts))])
	producers, consumers := 1+random.IntN(3), 1+random.IntN(3)
	type result struct {
		id     int // of a producer; -1
		pushed uint64
		err    error
	}
	results := make(chan result, producers+consumers)
	got := make([][]labelled, consumers)
	ends := make([]interface{ Close() error }, 0, producers+consumers)
	for id := range producers {
		p, err := NewProducer[labelled](s, &Options{Spin: time.Duration(random.IntN(2))})
		wantErr(t, "NewProducer", err, nil)
		ends = append(ends, p)
		way := random.IntN(ways)
		go func() {
			n, err := pushAll(p, uint64(id), way)
			results <- result{id, n, err}
		}()
	}
	for i := range consumers {
		c, err := NewConsumer[labelled](s, &Options{Spin: time.Duration(random.IntN(2))})
		wantErr(t, "NewConsumer", err, nil)
		ends = append(ends, c)
		way := random.IntN(ways)
		go func() {
			err := popAll(c, way, func(vs ...labelled) { got[i] = append(got[i], vs...) })
			results <- result{id: -1, err: err}
		}()
	}
	for range random.IntN(10) {
		runtime.Gosched()
	}
	time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
	wantErr(t, "Shutdown", s.Shutdown(), nil)
	pushed := make([]uint64, producers)
	finishes(t, "everybody after Shutdown", func() {
		for range cap(results) {
			r := <-results
			if r.err != shm.ErrClosed {
				t.Errorf("an end stopped with %v, want ErrClosed", r.err)
			}
			if r.id >= 0 {
				pushed[r.id] = r.pushed
				total += r.pushed
			}
		}
	})
	count := make([]uint64, producers)
	for i := range got {
		next := make([]uint64, producers)
		for _, v := range got[i] {
			if v != label(v.ID, v.Seq) || v.ID >= uint64(producers) {
				t.Fatalf("consumer %d got %x", i, v)
			}
			if v.Seq < next[v.ID] {
				t.Fatalf("consumer %d got number %d of producer %d behind number %d", i, v.Seq, v.ID, next[v.ID]-1)
			}
			next[v.ID] = v.Seq + 1
			if v.Seq >= pushed[v.ID] {
				t.Fatalf("number %d of producer %d was delivered, and only %d were answered with nil", v.Seq, v.ID, pushed[v.ID])
			}
			count[v.ID]++ // increasing at each consumer; none twice if the sums are right
		}
	}
	seen := make([][]bool, producers)
	for id := range pushed {
		seen[id] = make([]bool, pushed[id])
		if count[id] != pushed[id] {
			t.Fatalf("%d pushes of producer %d were answered with nil, %d were delivered", pushed[id], id, count[id])
		}
	}
	for i := range got {
		for _, v := range got[i] {
			if seen[v.ID][v.Seq] {
				t.Fatalf("number %d of producer %d came twice", v.Seq, v.ID)
			}
			seen[v.ID][v.Seq] = true
		}
	}
	for _, e := range ends {
		wantErr(t, "Close", e.Close(), nil)
	}
	if err := conserved(s); err != nil {
		t.Fatal("blocks:", err)
	}
	wantErr(t, "Close", s.Close(), nil)
	return total
}

func roundExchange(t *testing.T, b bed, spec layout.Spec) *shm.Segment {
	t.Helper()
	spec.Fence = b.fence
	create := shm.CreateTemp
	if b.heap {
		create = shm.Heap
	}
	s, err := create(spec)
	wantErr(t, "create", err, nil)
	return s
}

func TestExchangeShutdownIsExact(t *testing.T) {
	rounds := 120
	if long() {
		rounds = 12_000
	}
	if race.Enabled {
		rounds /= 4
	}
	onExchangeBeds(t, func(t *testing.T, b bed) {
		random := newRand(seed(t), 0)
		total, busy := uint64(0), 0
		for range rounds {
			n := exchangeRound(t, b, random)
			if total += n; n > 0 {
				busy++
			}
		}
		t.Logf("%d rounds, %d with traffic, %d messages, all accounted for", rounds, busy, total)
		if busy == 0 {
			t.Error("no round was shut down in full flow")
		}
	})
}

// A large ring is sealed though producers never meet its end: they push flat out, and
// consumers keep up.
func TestExchangeShutdownOfLargeRing(t *testing.T) {
	rounds := 10
	if race.Enabled {
		rounds = 2
	}
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for range rounds {
			s := roundExchange(t, b, exchangeSpec[labelled](t, 1<<16, 1))
			p, err := NewProducer[labelled](s, nil)
			wantErr(t, "NewProducer", err, nil)
			c, err := NewConsumer[labelled](s, nil)
			wantErr(t, "NewConsumer", err, nil)
			pushed, taken := make(chan uint64, 1), make(chan uint64, 1)
			go func() {
				n := uint64(0)
				for {
					if err := p.TryPush(label(0, n)); err == nil {
						n++
					} else if err != ErrFull {
						break
					}
				}
				pushed <- n
			}()
			go func() {
				n := uint64(0)
				popAll(c, byTry, func(vs ...labelled) { n += uint64(len(vs)) })
				taken <- n
			}()
			until(t, "both run", func() bool { return c.Stats().Head > 1000 })
			wantErr(t, "Shutdown", s.Shutdown(), nil)
			finishes(t, "both sides after Shutdown", func() {
				if in, out := <-pushed, <-taken; in != out {
					t.Errorf("%d pushes were answered with nil, %d were delivered", in, out)
				}
			})
			for _, e := range []interface{ Close() error }{p, c, s} {
				wantErr(t, "Close", e.Close(), nil)
			}
		}
	})
}
