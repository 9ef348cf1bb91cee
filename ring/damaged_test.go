package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// A ring whose positions were damaged before anybody comes: an end is refused, or works
// within the ring, or says what is wrong.
func TestDamagedPositions(t *testing.T) {
	needSegments(t)
	for _, spec := range []layout.Spec{
		specOf[pair](t, 64),
		msgSpec(t, 64),
		msgSpec(t, 4096), // ends where the mapping ends
	} {
		size := uint64(spec.Cap)
		for _, tail := range []uint64{0, 1, 7, 8, size - 7, size - 3, size - 1, size, size + 1, 1<<63 + 5, 1<<64 - 1, 1<<64 - 8} {
			for _, back := range []uint64{0, 1, 4, 8, 13, size - 1, size, size + 1, 1 << 40, 1 << 63, 1<<64 - 1, 1<<64 - 8} {
				s := roundSegment(t, plainBed(t), spec)
				atomic.StoreUint64(&s.Control().Tail, tail)
				atomic.StoreUint64(&s.Control().Head, tail-back)
				damagedPositions(t, fmt.Sprintf("%v, tail %d, head %d", spec, tail, tail-back), s, back)
				s.Close()
			}
			if t.Failed() {
				return
			}
		}
	}
}

func damagedPositions(t *testing.T, name string, s *shm.Segment, back uint64) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s: panic: %v", name, r)
		}
	}()
	says := func(what string, err error) {
		if !typedError(err) {
			t.Errorf("%s: %s = %v", name, what, err)
		}
		if err == nil && back > uint64(s.Spec().Cap) {
			t.Errorf("%s: %s found nothing wrong", name, what)
		}
	}
	if s.Spec().Payload == layout.Message {
		p, err := NewMsgProducer(s, nil)
		says("NewMsgProducer", err)
		if err == nil {
			for range 20 {
				says("TryPush", p.TryPush(nil))
				says("TryPush", p.TryPush(dst8[:]))
			}
			p.Close()
		}
		c, err := NewMsgConsumer(s, nil)
		says("NewMsgConsumer", err)
		if err == nil {
			for range 40 {
				says("TryPop", second(c.TryPop(nil)))
			}
			c.Close()
		}
		return
	}
	p, err := NewProducer[pair](s, nil)
	says("NewProducer", err)
	if err == nil {
		for range 80 {
			says("TryPush", p.TryPush(pair{}))
		}
		p.Close()
	}
	c, err := NewConsumer[pair](s, nil)
	says("NewConsumer", err)
	if err == nil {
		for range 80 {
			says("TryPop", second(c.TryPop()))
		}
		c.Close()
	}
}

// Corruption sticks, for everybody who comes later and everybody who sleeps.
func TestCorruptSticks(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, msgSpec(t, 64))
		p, c := mustMsgProducer(t, s, parkAtOnce), mustMsgConsumer(t, s, parkAtOnce)
		for p.TryPush(dst8[:]) == nil {
		}
		result := make(chan error, 1)
		go func() { result <- p.Push(background, dst8[:]) }()
		until(t, "the producer sleeps", func() bool { return statsOf(s).Parks > 0 })
		storeWord(s.Memory()[s.Header().Geometry.DataOff:], 0, 77)
		for range 2 {
			if err := second(c.TryPop(nil)); !isOneLine(err, ErrCorrupt) {
				t.Errorf("TryPop of a damaged record = %v, want one line that matches ErrCorrupt", err)
			}
		}
		wantIs(t, "Peek", second(c.Peek()), ErrCorrupt)
		finishes(t, "the sleeper", func() { wantIs(t, "Push", <-result, ErrCorrupt) })
		wantIs(t, "TryPush", p.TryPush(nil), ErrCorrupt)
		wantErr(t, "Close", p.Close(), nil)
		wantIs(t, "NewMsgProducer on a corrupt ring", second(NewMsgProducer(s, nil)), ErrCorrupt)
		wantErr(t, "Shutdown", s.Shutdown(), nil)
		wantIs(t, "NewMsgProducer after Shutdown of a corrupt ring", second(NewMsgProducer(s, nil)), ErrCorrupt)
	})
}

// FuzzMsgConsumer feeds a consumer any positions and any data: it returns messages from
// within the ring, and stops.
func FuzzMsgConsumer(f *testing.F) {
	needSegments(f)
	record := func(kind int, n uint64) []byte {
		return binary.LittleEndian.AppendUint64(nil, uint64(layout.MakeRecord(kind, n, 0)))
	}
	f.Add([]byte{}, uint64(0), uint64(0))
	f.Add(record(layout.RecordData, 24), uint64(0), uint64(32))
	f.Add(record(layout.RecordData, 25), uint64(0), uint64(40))
	f.Add(record(layout.RecordData, 1<<32-1), uint64(0), uint64(128))
	f.Add(record(layout.RecordPadding, 120), uint64(1<<64-128), uint64(0))
	f.Add(record(layout.RecordPadding, 1<<32-8), uint64(0), uint64(128))
	f.Add(record(3, 8), uint64(5), uint64(21))
	f.Add([]byte("ringway"), uint64(61), uint64(61))
	f.Fuzz(func(t *testing.T, data []byte, head, tail uint64) {
		const capacity = 128
		s, err := shm.Heap(msgSpec(t, capacity))
		if err != nil {
			t.Fatal(err)
		}
		area := s.Memory()[s.Header().Geometry.DataOff:][:capacity]
		copy(area, data)
		s.Control().Head, s.Control().Tail = head, tail
		c, err := NewMsgConsumer(s, nil)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || tail-head <= capacity {
				t.Fatalf("NewMsgConsumer at %d to %d: %v", head, tail, err)
			}
			return
		}
		for n := 0; ; n++ {
			m, err := c.Peek()
			if err != nil {
				if err != ErrEmpty && !errors.Is(err, ErrCorrupt) {
					t.Fatal(err)
				}
				break
			}
			if len(m) > capacity/2-8 || len(m) != cap(m) || n > capacity/8 {
				t.Fatalf("message %d of %d bytes, capacity %d", n, len(m), cap(m))
			}
			c.Release()
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := NewMsgProducer(s, nil)
		for err == nil {
			err = p.TryPush(make([]byte, 13))
		}
		if err != ErrFull && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
