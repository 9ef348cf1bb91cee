package ring

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"ringway/layout"
	"ringway/shm"
)

// scrawl writes one damaging word somewhere behind the header: mostly where
// it hurts, values that look right as often as not.
func scrawl(s *shm.Segment, random *rand.Rand) {
	c, mem := s.Control(), s.Memory()
	near := func(pos uint64) uint64 {
		switch random.IntN(4) {
		case 0:
			return random.Uint64()
		case 1:
			return pos + uint64(random.IntN(5)) - 2
		case 2:
			return pos + 8*(uint64(random.IntN(40))-20)
		}
		return pos + uint64(s.Spec().Cap)*(uint64(random.IntN(5))-2)
	}
	small := func() uint32 {
		if random.IntN(2) == 0 {
			return random.Uint32()
		}
		return uint32(random.IntN(6))
	}
	head, tail := loadPosition(&c.Head), loadPosition(&c.Tail)
	word := func(at uint64) *uint64 { return (*uint64)(unsafe.Pointer(&mem[at : at+8][0])) }
	data := s.Header().Geometry.DataOff
	switch random.IntN(12) {
	case 0:
		atomic.StoreUint64(&c.Head, near(head))
	case 1:
		atomic.StoreUint64(&c.Tail, near(tail))
	case 2:
		atomic.StoreUint64(&c.Head, near(tail))
	case 3:
		atomic.StoreUint32(&c.NotEmpty, small())
	case 4:
		atomic.StoreUint32(&c.NotFull, small())
	case 5:
		if random.IntN(8) == 0 {
			c.State.Store(small())
		}
	case 6:
		c.Seal.Store(near(layout.PackSeal(tail)))
	case 7:
		if random.IntN(8) == 0 { // a line of the seat table
			at := layout.SeatOff + uint64(random.IntN(2*layout.Line/8))*8
			atomic.StoreUint64(word(at), random.Uint64())
		}
	case 8, 9:
		at := data + uint64(random.IntN(int(s.Header().Geometry.DataSize/8)))*8
		atomic.StoreUint64(word(at), random.Uint64())
	default: // a record word where the consumer looks next
		at := data + head&uint64(s.Spec().Cap-1)&^7
		if at+8 <= uint64(len(mem)) {
			rec := layout.MakeRecord(random.IntN(4), uint64(small()), uint64(random.IntN(9))*8)
			atomic.StoreUint64(word(at), uint64(rec))
		}
	}
}

// hostile runs both ends of a mapped ring while attack does its worst.
func hostile(t *testing.T, s *shm.Segment, seed uint64, attack func(until time.Time)) (seen map[string]int, worst time.Duration) {
	end := time.Now().Add(20 * time.Millisecond)
	all := [2]*victim{}
	done := make(chan struct{}, 3)
	for i := range all {
		v := &victim{t: t, s: s, random: newRand(seed, uint64(i)), until: end, seen: map[string]int{}}
		all[i] = v
		go func() {
			defer func() { done <- struct{}{} }()
			if i == 0 {
				v.produce()
			} else {
				v.consume()
			}
		}()
	}
	go func() { attack(end); done <- struct{}{} }()
	for range 3 {
		awaitDone(t, "an end of a damaged ring", done)
	}
	seen = map[string]int{}
	for _, v := range all {
		worst = max(worst, v.worst)
		seen["calls"] += v.calls
		for what, n := range v.seen {
			seen[what] += n
		}
	}
	return seen, worst
}

// hostileRing makes a ring that may never close again: its seats are scribbled on.
func hostileRing(t *testing.T, random *rand.Rand) *shm.Segment {
	spec := specOf[pair](t, 1<<random.IntN(5))
	if random.IntN(3) > 0 {
		spec = msgSpec(t, 64<<random.IntN(4))
	}
	fence := plainBed(t).fence
	if random.IntN(3) == 0 {
		fence = layout.Full
	}
	return startAt(roundSegment(t, bed{false, fence}, spec), starts[random.IntN(len(starts))])
}

func TestHostileScribbler(t *testing.T) {
	needSegments(t)
	rounds := 60
	if long() {
		rounds = 6000
	}
	seed := seed(t)
	total, worst := map[string]int{}, time.Duration(0)
	for n := range rounds {
		random := newRand(seed, uint64(n))
		s := hostileRing(t, random)
		writes := 0
		seen, took := hostile(t, s, random.Uint64(), func(until time.Time) {
			for time.Now().Before(until) {
				scrawl(s, random)
				pauseUpTo(random, 40)
				writes++
			}
		})
		s.Close()
		seen["writes"] = writes
		worst = max(worst, took)
		for what, n := range seen {
			total[what] += n
		}
		if t.Failed() {
			t.Fatalf("in round %d", n)
		}
	}
	t.Logf("%d rounds, %v, worst call %v", rounds, total, worst)
	if worst > 10*time.Second {
		t.Errorf("a call on a damaged ring took %v", worst)
	}
}
