package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// brokenIn returns the names of what a check of s calls broken, and all details.
func brokenIn(t testing.TB, s *shm.Segment) (names []string, details string) {
	t.Helper()
	found, err := findings(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Name == "" || f.Detail == "" || strings.Contains(f.Detail, "\n") {
			t.Errorf("a finding must have a name and one line: %+v", f)
		}
		if !f.OK {
			names = append(names, f.Name)
			details += f.Detail + "; "
		}
	}
	return names, details
}

func wantSound(t testing.TB, when string, s *shm.Segment) {
	t.Helper()
	if names, details := brokenIn(t, s); len(names) != 0 {
		t.Fatalf("%s: %v: %s", when, names, details)
	}
}

// Every state that a ring gets into by proper use is sound.
func TestCheckSoundRings(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		for _, start := range starts {
			s := startAt(b.segment(t, msgSpec(t, 256)), start)
			wantSound(t, "fresh", s)
			p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
			for n := range uint64(100) {
				msg := content(n, int(n%120))
				for p.TryPush(msg) == ErrFull {
					wantSound(t, "full", s)
					if _, err := c.TryPop(nil); err != nil {
						t.Fatal(err)
					}
				}
				wantSound(t, "pushed", s)
			}
			if _, err := c.Peek(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, "peeked", s)
			if _, err := p.Reserve(8); err == nil {
				wantSound(t, "reserved", s)
				p.Abort()
			}
			if err := s.Shutdown(); err != nil {
				t.Fatal(err)
			}
			wantSound(t, "shut down", s)
			_ = p.TryPush([]byte("refused"))
			wantSound(t, "after a refused push", s)
			for {
				if _, err := c.TryPop(nil); err == shm.ErrClosed {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			wantSound(t, "drained", s)

			f := startAt(b.segment(t, specOf[uint64](t, 8)), start)
			wantSound(t, "fresh, fixed", f)
			fp, fc := mustProducer[uint64](t, f, nil), mustConsumer[uint64](t, f, nil)
			for range 20 {
				if _, err := fp.TryPushN(make([]uint64, 5)); err != nil && err != ErrFull {
					t.Fatal(err)
				}
				wantSound(t, "batches", f)
				if _, err := fc.TryPopN(make([]uint64, 3)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestCheckFindsDamage(t *testing.T) {
	type parts struct {
		c     *layout.Control
		seats []layout.Seat
		data  []byte
	}
	word := func(p parts, at int, r layout.Record) { binary.LittleEndian.PutUint64(p.data[at:], uint64(r)) }
	for _, test := range []struct {
		what, name string
		fixed      bool
		damage     func(p parts)
	}{
		{"corrupt by verdict", "state", false, func(p parts) { p.c.Reason.Store(2); p.c.State.Store(layout.StateCorrupt) }},
		{"state word", "state", false, func(p parts) { p.c.State.Store(9) }},
		{"head ahead of tail", "positions", true, func(p parts) { p.c.Head = p.c.Tail + 1 }},
		{"tail too far", "positions", true, func(p parts) { p.c.Tail = p.c.Head + 65 }},
		{"odd positions", "positions", false, func(p parts) { p.c.Tail++; p.c.Claim++ }},
		{"claim too far", "claim", true, func(p parts) { p.c.Claim = p.c.Head + 65 }},
		{"claim behind", "claim", false, func(p parts) { p.c.Claim = p.c.Tail - 8 }},
		{"sealed while open", "seal", false, func(p parts) { p.c.Seal.Store(layout.PackSeal(p.c.Tail)) }},
		{"even seal", "seal", false, func(p parts) { p.c.State.Store(layout.StateShutdown); p.c.Seal.Store(8) }},
		{"seal behind head", "seal", false, func(p parts) { p.c.State.Store(layout.StateShutdown); p.c.Seal.Store(layout.PackSeal(p.c.Head - 8)) }},
		{"seal ahead of tail", "seal", false, func(p parts) { p.c.State.Store(layout.StateShutdown); p.c.Seal.Store(layout.PackSeal(p.c.Tail + 8)) }},
		{"seat state", "seats", false, func(p parts) { p.seats[5].State.Store(2) }},
		{"role", "seats", false, func(p parts) { p.seats[0].Role.Store(3) }},
		{"swapped roles", "seats", false, func(p parts) { p.seats[0].Role.Store(2); p.seats[1].Role.Store(1) }},
		{"taken without a role", "seats", false, func(p parts) { p.seats[0].Role.Store(0) }},
		{"a third seat", "seats", true, func(p parts) { p.seats[2].Epoch.Store(1) }},
		{"zeroed record", "records", false, func(p parts) { word(p, 24, 0) }},
		{"long record", "records", false, func(p parts) { word(p, 24, layout.MakeRecord(layout.RecordData, 4000, 24)) }},
		{"padding in the middle", "records", false, func(p parts) { word(p, 24, layout.MakeRecord(layout.RecordPadding, 16, 24)) }},
		{"back link", "records", false, func(p parts) { word(p, 24, layout.MakeRecord(layout.RecordData, 10, 16)) }},
	} {
		t.Run(test.what, func(t *testing.T) {
			spec := msgSpec(t, 1024)
			if test.fixed {
				spec = specOf[uint64](t, 64)
			}
			s := plainBed(t).segment(t, spec)
			g := s.Header().Geometry
			p := parts{s.Control(), layout.SeatsAt(s.Memory(), spec.Seats+layout.DefaultSeats), s.Memory()[g.DataOff:]}
			if test.fixed {
				e := mustProducer[uint64](t, s, nil)
				for range 10 {
					wantErr(t, "TryPush", e.TryPush(1), nil)
				}
			} else {
				e := mustMsgProducer(t, s, nil)
				for n := range uint64(10) { // records of 24 bytes
					wantErr(t, "TryPush", e.TryPush(content(n, 10)), nil)
				}
			}
			wantSound(t, "before", s)
			test.damage(p)
			names, details := brokenIn(t, s)
			if len(names) == 0 || names[0] != test.name {
				t.Errorf("found %v (%s), want %s", names, details, test.name)
			}
			t.Log(details)
		})
	}
}

// While both sides stream, leave and come back at full speed, and the ring is shut down
// under them, nothing is ever called broken.
func TestCheckWhileStreaming(t *testing.T) {
	rounds := 10
	if long() {
		rounds = 500
	}
	for _, spec := range []layout.Spec{msgSpec(t, 1024), msgSpec(t, 65536), specOf[[4]uint64](t, 16)} {
		t.Run(spec.String(), func(t *testing.T) {
			checks := 0
			for range rounds {
				s := plainBed(t).segment(t, spec)
				checks += stream(t, s, 300, func() int {
					wantSound(t, "streaming", s)
					return 1
				})
				checks += comeAndGo(t, s)
			}
			t.Logf("%d checks", checks)
		})
	}
}

// comeAndGo checks s while both sides take their seats, move one thing and leave, and
// ends with a shutdown.
func comeAndGo(t *testing.T, s *shm.Segment) (checks int) {
	t.Helper()
	var stop atomic.Bool
	var both sync.WaitGroup
	turn := func(what string, move func() error) {
		both.Go(func() {
			for !stop.Load() {
				if err := move(); errors.Is(err, shm.ErrClosed) {
					return
				} else if err != nil && !errors.Is(err, ErrFull) && !errors.Is(err, ErrEmpty) {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	newProducer, newConsumer, msg := NewMsgProducer, NewMsgConsumer, []byte("abc")
	if s.Spec().Payload == layout.Fixed {
		newProducer, newConsumer, msg = NewRawProducer, NewRawConsumer, make([]byte, s.Spec().Elem.Size)
	}
	turn("producer", func() error {
		p, err := newProducer(s, nil)
		if err != nil {
			return err
		}
		return errors.Join(p.TryPush(msg), p.Close())
	})
	turn("consumer", func() error {
		c, err := newConsumer(s, nil)
		if err != nil {
			return err
		}
		_, err = c.TryPop(nil)
		return errors.Join(err, c.Close())
	})
	for ; checks < 100 && !t.Failed(); checks++ {
		if checks == 60 {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
		}
		wantSound(t, fmt.Sprintf("check %d of coming and going", checks), s)
	}
	stop.Store(true)
	finishes(t, "coming and going", both.Wait)
	return checks
}

func TestCheckByPath(t *testing.T) {
	needSegments(t)
	dir := t.TempDir()
	if found, err := Check(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) || found != nil {
		t.Errorf("Check of no file: %v, %v", found, err)
	}
	for _, k := range []layout.Kind{layout.SPSC, layout.MPMC} {
		path := filepath.Join(dir, k.String())
		spec, err := MsgSpec(k, 64, 8)
		if err != nil {
			t.Fatal(err)
		}
		s, err := shm.Create(path, spec, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		found, err := Check(path)
		if err != nil || len(found) < 3 {
			t.Errorf("Check of a fresh %v ring: %v, %v", k, found, err)
		}
		for _, f := range found {
			if !f.OK {
				t.Errorf("a fresh %v ring: %+v", k, f)
			}
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, damage := range map[string]func(b []byte) []byte{
			"checksum": func(b []byte) []byte { b[40] ^= 1; return b },
			"version":  func(b []byte) []byte { b[8] = 7; return b },
			"ready":    func(b []byte) []byte { b[256] = 0; return b },
			"cut off":  func(b []byte) []byte { return b[:len(b)-4096] },
			"empty":    func(b []byte) []byte { return nil },
		} {
			if err := os.WriteFile(path, damage(append([]byte(nil), whole...)), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := Check(path)
			if err != nil || len(found) != 1 || found[0].OK || found[0].Name != "header" || strings.Contains(found[0].Detail, path) {
				t.Errorf("%s: %+v, %v", what, found, err)
			}
		}
	}
}
