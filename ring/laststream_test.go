package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// While both sides stream at full speed, what is shown is whole: each message carries its
// number in its content, each element its position.
func TestLastWhileStreaming(t *testing.T) {
	rounds := 3000
	if long() {
		rounds = 20000
	}
	t.Run("messages", func(t *testing.T) {
		s := plainBed(t).segment(t, msgSpec(t, 2048))
		shown := stream(t, s, rounds, func() int {
			got := looksLast(t, s, 20)
			before := uint64(0)
			for _, one := range got {
				n := binary.LittleEndian.Uint64(one.Data)
				if !bytes.Equal(one.Data, numberedMessage(n)) || before != 0 && n != before+1 {
					t.Errorf("position %d shows message %d after %d: %x", one.Pos, n, before, one.Data)
				}
				before = n
			}
			return len(got)
		})
		t.Logf("%d samples in %d looks", shown, rounds)
	})
	t.Run("elements", func(t *testing.T) {
		s := plainBed(t).segment(t, specOf[[4]uint64](t, 32))
		shown := stream(t, s, rounds, func() int {
			got := looksLast(t, s, 20)
			for _, one := range got {
				if want := fourOf(one.Pos); !bytes.Equal(one.Data, want[:]) {
					t.Errorf("position %d shows %x, want %x", one.Pos, one.Data, want)
				}
			}
			return len(got)
		})
		t.Logf("%d samples in %d looks", shown, rounds)
	})
}

// numberedMessage is message n: its number, then a content of its own length.
func numberedMessage(n uint64) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, n), content(n, int(n*7%90))...)
}

// fourOf is the element of a position, as bytes.
func fourOf(pos uint64) (b [32]byte) {
	for i := range 4 {
		binary.LittleEndian.PutUint64(b[8*i:], pos*uint64(i+1))
	}
	return b
}

// stream keeps a producer and a consumer busy on s while look is called rounds times
// and until both have moved something, and adds up what it returns.
func stream(t *testing.T, s *shm.Segment, rounds int, look func() int) (sum int) {
	t.Helper()
	var stop atomic.Bool
	var both sync.WaitGroup
	newProducer, newConsumer := NewMsgProducer, NewMsgConsumer
	if s.Spec().Payload == layout.Fixed {
		newProducer, newConsumer = NewRawProducer, NewRawConsumer
	}
	p := seated(t, func() (*MsgProducer, error) { return newProducer(s, nil) })
	c := seated(t, func() (*MsgConsumer, error) { return newConsumer(s, nil) })
	both.Go(func() {
		for n := uint64(0); !stop.Load(); {
			msg := numberedMessage(n)
			if p.elem != 0 {
				four := fourOf(n)
				msg = four[:]
			}
			switch err := p.TryPush(msg); err {
			case nil:
				n++
			case ErrFull:
			case shm.ErrClosed:
				return
			default:
				t.Errorf("TryPush: %v", err)
				return
			}
		}
	})
	both.Go(func() {
		var buf []byte
		for !stop.Load() {
			var err error
			switch buf, err = c.TryPop(buf[:0]); err {
			case nil, ErrEmpty:
			case shm.ErrClosed:
				return
			default:
				t.Errorf("TryPop: %v", err)
				return
			}
		}
	})
	until(t, "both sides move", func() bool { return loadPosition(&s.Control().Head) > 0 })
	for range rounds {
		sum += look()
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	finishes(t, "the stream", both.Wait)
	if err := errors.Join(p.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	return sum
}

// Whatever a ring's memory says, looking at it neither faults nor hangs.
func TestLastOnGarbage(t *testing.T) {
	needSegments(t)
	random := newRand(seed(t), 2)
	for _, spec := range []layout.Spec{msgSpec(t, 1024), specOf[uint64](t, 64)} {
		s := bed{true, layout.Full}.segment(t, spec)
		g := s.Header().Geometry
		for range 40 {
			scribbleRecords(random, s.Memory()[g.DataOff:g.DataOff+g.DataSize])
			c := s.Control()
			at := random.Uint64()
			for _, word := range []*uint64{&c.Head, &c.Tail, &c.Claim} {
				if *word = at + random.Uint64N(4000) - 2000; random.IntN(4) == 0 {
					*word = random.Uint64()
				}
			}
			c.Seal.Store(random.Uint64() >> (random.IntN(2) * 64))
			looks, err := lastOf(s, 1+random.IntN(100))
			for _, one := range looks {
				if err != nil || len(one.Data) > int(g.DataSize) {
					t.Fatalf("%d bytes, %v", len(one.Data), err)
				}
			}
			if _, err := findings(s); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// scribbleRecords fills b with random words, many of which look like records.
func scribbleRecords(random *rand.Rand, b []byte) {
	for at := 0; at+8 <= len(b); at += 8 {
		w := random.Uint64()
		if random.IntN(2) == 0 {
			w = uint64(layout.MakeRecord(1+random.IntN(2), random.Uint64N(100), random.Uint64N(20)*8))
		}
		binary.LittleEndian.PutUint64(b[at:], w)
	}
}
