package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

func lastOf(s *shm.Segment, n int) ([]Sample, error) {
	seen, err := lastSeen(s, n)
	return seen.Samples, err
}

// looksLast asks for the last n and checks order and marks.
func looksLast(t *testing.T, s *shm.Segment, n int) []Sample {
	t.Helper()
	head := loadPosition(&s.Control().Head)
	got, err := lastOf(s, n)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > n {
		t.Fatalf("%d samples, asked for %d", len(got), n)
	}
	for i, one := range got {
		if i > 0 && int64(one.Pos-got[i-1].Pos) <= 0 {
			t.Fatalf("position %d comes after %d", one.Pos, got[i-1].Pos)
		}
		if one.Consumed && int64(one.Pos-loadPosition(&s.Control().Head)) >= 0 {
			t.Fatalf("position %d is called consumed, head is %d", one.Pos, head)
		}
	}
	return got
}

func TestLastElements(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		const size = 8
		for _, start := range starts {
			s := startAt(b.segment(t, specOf[uint64](t, size)), start)
			p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
			if got := looksLast(t, s, 3); start == 0 && len(got) != 0 {
				t.Fatalf("a fresh ring shows %v", got)
			}
			for n := range uint64(4 * size) { // past a whole lap, so that all slots were written
				wantErr(t, "TryPush", p.TryPush(start+n), nil)
				_, err := c.TryPop()
				wantErr(t, "TryPop", err, nil)
			}
			from := start + 4*size
			for depth := range uint64(size + 1) {
				if depth > 0 {
					wantErr(t, "TryPush", p.TryPush(from+depth-1), nil)
				}
				tail := from + depth
				for n := 1; n <= size+1; n++ {
					first := tail + 1 - size // the slot at tail may be in use
					if depth == size {
						first = from // nobody can be in it
					}
					if want := tail - uint64(n); int64(want-first) > 0 {
						first = want
					}
					got := looksLast(t, s, n)
					if len(got) != int(tail-first) {
						t.Fatalf("start %d, depth %d: %d of %d samples, want %d", start, depth, len(got), n, tail-first)
					}
					for i, one := range got {
						pos := first + uint64(i)
						if one.Pos != pos || binary.LittleEndian.Uint64(one.Data) != pos || one.Consumed != (int64(pos-from) < 0) {
							t.Fatalf("start %d, depth %d: sample %d is %v, want position %d", start, depth, i, one, pos)
						}
					}
				}
			}
		}
	})
}

// TestLastMessages compares with a list of everything that was ever pushed: exactly the
// records that the producer cannot have come near are found.
func TestLastMessages(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		random := newRand(seed(t), 1)
		for _, start := range starts {
			const size = 512
			s := startAt(b.segment(t, msgSpec(t, size)), start)
			p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
			var all []Sample
			for n := range uint64(600) {
				all = lastPush(t, random, p, n, all)
				for random.IntN(3) > 0 {
					if _, err := c.TryPop(nil); err == ErrEmpty {
						break
					} else if err != nil {
						t.Fatal(err)
					}
				}
				if len(all) > 300 { // the first lap from an odd start has no place to begin from
					checkLast(t, s, all, 1+random.IntN(60))
				}
			}
		}
	})
}

// lastPush pushes one message in one of the ways, if it fits, and notes it.
func lastPush(t *testing.T, random *rand.Rand, p *MsgProducer, n uint64, all []Sample) []Sample {
	t.Helper()
	msg := content(n, random.IntN(60))
	err := ErrFull
	if random.IntN(2) == 0 {
		err = p.TryPush(msg)
	} else if room, e := p.Reserve(len(msg) + random.IntN(3)); e == nil {
		copy(room, msg)
		err = p.Commit(len(msg))
	}
	if err == ErrFull {
		return all
	}
	wantErr(t, "push", err, nil)
	return append(all, Sample{Pos: p.tail - layout.RecordSize(uint64(len(msg))), Data: msg})
}

func checkLast(t *testing.T, s *shm.Segment, all []Sample, n int) {
	t.Helper()
	c, size := s.Control(), uint64(s.Spec().Cap)
	head, tail, claim := loadPosition(&c.Head), loadPosition(&c.Tail), loadPosition(&c.Claim)
	low := claim - size // never behind tail on a message ring
	want := all[max(0, len(all)-n):]
	for len(want) > 0 && int64(want[0].Pos-low) < 0 && int64(want[0].Pos-head) < 0 {
		want = want[1:]
	}
	if lap := (tail - 1) &^ (size - 1); head == tail && int64(lap-low) < 0 {
		want = nil // the start of the lap may be in use and nothing is waiting
	}
	got := looksLast(t, s, n)
	if len(got) != len(want) {
		t.Fatalf("head %d tail %d claim %d: %d samples, want %d of %d", head, tail, claim, len(got), len(want), n)
	}
	for i := range got {
		if got[i].Pos != want[i].Pos || !bytes.Equal(got[i].Data, want[i].Data) || got[i].Consumed != (int64(got[i].Pos-head) < 0) {
			t.Fatalf("sample %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// A new producer does not know how long the record before its first one is; the lap's
// start still leads to what both wrote.
func TestLastAcrossProducers(t *testing.T) {
	s := plainBed(t).segment(t, msgSpec(t, 4096))
	c := mustMsgConsumer(t, s, nil)
	for n := range uint64(5) {
		p, err := NewMsgProducer(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "TryPush", p.TryPush(content(n, 10)), nil)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for waiting := 5; waiting >= 0; waiting-- {
		got := looksLast(t, s, 10)
		if len(got) != 5 {
			t.Fatalf("%d samples with %d waiting, want 5", len(got), waiting)
		}
		for n, one := range got {
			if !bytes.Equal(one.Data, content(uint64(n), 10)) || one.Consumed != (n < 5-waiting) {
				t.Fatalf("sample %d is %v", n, one)
			}
		}
		if waiting > 0 {
			if _, err := c.TryPop(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A push that was refused because the ring had been shut down is not shown.
func TestLastStopsAtTheSeal(t *testing.T) {
	s := plainBed(t).segment(t, msgSpec(t, 4096))
	p := mustMsgProducer(t, s, nil)
	wantErr(t, "TryPush", p.TryPush(content(0, 10)), nil)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "TryPush after shutdown", p.TryPush(content(1, 10)), shm.ErrClosed)
	if got := looksLast(t, s, 10); len(got) != 1 || !bytes.Equal(got[0].Data, content(0, 10)) {
		t.Fatalf("samples %v, want the first message alone", got)
	}
}

func TestLastByPath(t *testing.T) {
	needSegments(t)
	path := filepath.Join(t.TempDir(), "r")
	if _, err := Last(path, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Last of no file: %v", err)
	}
	s, err := shm.Create(path, msgSpec(t, 4096), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	wantErr(t, "TryPush", mustMsgProducer(t, s, nil).TryPush([]byte("one")), nil)
	got, err := Last(path, 5)
	if err != nil || len(got) != 1 || string(got[0].Data) != "one" || got[0].Consumed {
		t.Errorf("Last = %v, %v", got, err)
	}
	if got, err := Last(path, 0); got != nil || err != nil {
		t.Errorf("Last of none = %v, %v", got, err)
	}
}
