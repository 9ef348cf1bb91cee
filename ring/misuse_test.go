package ring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"ringway/internal/invariant"
	"ringway/layout"
	"ringway/shm"
)

func second[A any](_ A, err error) error { return err }

// isOneLine reports whether err matches is and is fit for a terminal.
func isOneLine(err, is error) bool {
	return errors.Is(err, is) && !strings.Contains(err.Error(), "\n")
}

func TestBusySeat(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[uint64](t, 8))
		p := mustProducer[uint64](t, s, &Options{Name: "first one"})
		c := mustConsumer[uint64](t, s, nil)
		for role, err := range map[string]error{
			"producer": second(NewProducer[uint64](s, nil)),
			"consumer": second(NewConsumer[uint64](s, nil)),
		} {
			pid := fmt.Sprintf("pid %d", os.Getpid())
			if !isOneLine(err, shm.ErrBusy) || !strings.Contains(err.Error(), pid) || !strings.Contains(err.Error(), role) {
				t.Errorf("second %s: %v, want ErrBusy that names %s", role, err, pid)
			}
		}
		if err := second(NewRawProducer(s, nil)); !strings.Contains(err.Error(), "first one") {
			t.Errorf("ErrBusy without the holder's name: %v", err)
		}
		if err := s.Close(); !errors.Is(err, shm.ErrBusy) {
			t.Errorf("Close under open ends = %v, want ErrBusy", err)
		}
		wantErr(t, "TryPush after the refusals", p.TryPush(7), nil)
		for range 2 {
			wantErr(t, "Close", p.Close(), nil)
			wantErr(t, "Close", c.Close(), nil)
		}
		p2 := mustProducer[uint64](t, s, nil)
		c2 := mustConsumer[uint64](t, s, nil)
		wantErr(t, "Close of a handle whose seat has another owner", p.Close(), nil)
		if v, err := c2.TryPop(); v != 7 || err != nil {
			t.Errorf("the next consumer got %d, %v, want what its predecessor left", v, err)
		}
		wantErr(t, "TryPush of the next producer", p2.TryPush(8), nil)
		if st := p2.Stats(); st.Reaped != 0 || st.Len != 1 {
			t.Errorf("Stats after orderly changes of seats: %+v", st)
		}
	})
}

// A closed typed handle answers ErrClosed, whatever it still had in private.
func TestUseAfterClose(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		ctx := context.Background()
		s := b.segment(t, specOf[uint64](t, 8))
		p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
		if n, err := p.TryPushN([]uint64{0, 1, 2, 3, 4}); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if v, err := c.TryPop(); v != 0 || err != nil { // it knows of four more
			t.Fatal(v, err)
		}
		if _, err := p.Reserve(); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Close", c.Close(), nil)
		wantErr(t, "Close with a reservation", p.Close(), nil)
		wantErr(t, "Commit of what Close aborted", p.Commit(), shm.ErrClosed)
		dst := make([]uint64, 2)
		for what, err := range map[string]error{
			"TryPush":  p.TryPush(1),
			"Push":     p.Push(ctx, 1),
			"TryPushN": second(p.TryPushN(dst)),
			"PushN":    second(p.PushN(ctx, dst)),
			"Reserve":  second(p.Reserve()),
			"TryPop":   second(c.TryPop()),
			"Pop":      second(c.Pop(ctx)),
			"TryPopN":  second(c.TryPopN(dst)),
			"PopN":     second(c.PopN(ctx, dst)),
			"Peek":     second(c.Peek()),
		} {
			if err != shm.ErrClosed || !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s after Close = %v, want ErrClosed", what, err)
			}
		}
		p.Abort()
		for range c.All(ctx) {
			t.Error("All after Close yields something")
		}
		if i, err := Wait(ctx, c); i != 0 || err != nil {
			t.Errorf("Wait on a closed end = %d, %v, want it at once", i, err)
		}
		if st := c.Stats(); st.Len != 4 || st.Tail-st.Head != 4 {
			t.Errorf("a closed handle moved the ring: %+v", st)
		}
	})
}

func TestMsgUseAfterClose(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		ctx := context.Background()
		s := b.segment(t, msgSpec(t, 256))
		p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
		for range 4 {
			wantErr(t, "TryPush", p.TryPush([]byte("left")), nil)
		}
		if m, err := c.TryPop(nil); string(m) != "left" || err != nil {
			t.Fatal(m, err)
		}
		if _, err := p.Reserve(8); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Close", c.Close(), nil)
		wantErr(t, "Close with a reservation", p.Close(), nil)
		wantErr(t, "Commit of what Close aborted", p.Commit(8), shm.ErrClosed)
		for what, err := range map[string]error{
			"TryPush": p.TryPush(nil),
			"Push":    p.Push(ctx, nil),
			"Reserve": second(p.Reserve(1)),
			"TryPop":  second(c.TryPop(nil)),
			"Pop":     second(c.Pop(ctx, nil)),
			"Peek":    second(c.Peek()),
		} {
			if err != shm.ErrClosed {
				t.Errorf("%s after Close = %v, want ErrClosed", what, err)
			}
		}
		for range c.All(ctx) {
			t.Error("All after Close yields something")
		}
		if st := c.Stats(); st.Len != 3*16 {
			t.Errorf("closed handles moved the ring: %+v", st)
		}
	})
}

func TestCallerBugsPanic(t *testing.T) {
	onBeds(t, func(t *testing.T, b bed) {
		s := b.segment(t, specOf[uint64](t, 8))
		p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
		wantPanic(t, "Commit without a reservation", func() { p.Commit() })
		wantPanic(t, "Release without Peek", func() { c.Release() })
		slot, err := p.Reserve()
		wantErr(t, "Reserve", err, nil)
		*slot = 1
		wantPanic(t, "a second Reserve", func() { p.Reserve() })
		wantPanic(t, "TryPush during a reservation", func() { p.TryPush(2) })
		wantPanic(t, "Push during a reservation", func() { p.Push(background, 2) })
		wantPanic(t, "TryPushN during a reservation", func() { p.TryPushN([]uint64{2}) })
		wantErr(t, "Commit after the panics", p.Commit(), nil)
		wantPanic(t, "a second Commit", func() { p.Commit() })
		if v, err := c.TryPop(); v != 1 || err != nil {
			t.Errorf("after the panics: %d, %v", v, err)
		}

		m := b.segment(t, msgSpec(t, 128))
		mp, mc := mustMsgProducer(t, m, nil), mustMsgConsumer(t, m, nil)
		wantPanic(t, "Commit without a reservation", func() { mp.Commit(0) })
		wantPanic(t, "Release without Peek", func() { mc.Release() })
		wantPanic(t, "Reserve(-1)", func() { mp.Reserve(-1) })
		_, err = mp.Reserve(5)
		wantErr(t, "Reserve", err, nil)
		wantPanic(t, "a second Reserve", func() { mp.Reserve(0) })
		wantPanic(t, "TryPush during a reservation", func() { mp.TryPush(nil) })
		wantPanic(t, "Commit of more than was reserved", func() { mp.Commit(6) })
		wantPanic(t, "Commit(-1)", func() { mp.Commit(-1) })
		wantErr(t, "Commit after the panics", mp.Commit(5), nil)
		if got, err := mc.TryPop(nil); len(got) != 5 || err != nil {
			t.Errorf("after the panics: %d bytes, %v", len(got), err)
		}
	})
}

// Two goroutines in one handle: each is inside when the other comes.
func TestTwoGoroutinesAtOnce(t *testing.T) {
	if !invariant.Enabled {
		t.Skip("this build has no assertions; run with -race or -tags invariants")
	}
	b := plainBed(t)
	s := b.segment(t, specOf[uint64](t, 8))
	p, c := mustProducer[uint64](t, s, nil), mustConsumer[uint64](t, s, nil)
	m := b.segment(t, msgSpec(t, 128))
	mp, mc := mustMsgProducer(t, m, nil), mustMsgConsumer(t, m, nil)
	wantErr(t, "TryPush", p.TryPush(1), nil)
	wantErr(t, "TryPush", mp.TryPush(nil), nil)
	for _, e := range []*end{&p.end, &c.end, &mp.end, &mc.end} {
		e.inUse.Enter("handle") // somebody is inside
	}
	dst := make([]uint64, 1)
	for what, call := range map[string]func(){
		"TryPush": func() { p.TryPush(1) }, "TryPushN": func() { p.TryPushN(dst) },
		"Reserve": func() { p.Reserve() }, "Commit": func() { p.Commit() },
		"TryPop": func() { c.TryPop() }, "TryPopN": func() { c.TryPopN(dst) },
		"Peek": func() { c.Peek() }, "Release": func() { c.Release() },
		"All":          func() { c.All(t.Context())(func(uint64, error) bool { return false }) },
		"MsgTryPush":   func() { mp.TryPush(nil) },
		"MsgReserve":   func() { mp.Reserve(1) },
		"MsgCommit":    func() { mp.Commit(0) },
		"MsgTryPop":    func() { mc.TryPop(nil) },
		"MsgPeek":      func() { mc.Peek() },
		"MsgRelease":   func() { mc.Release() },
		"MsgAll break": func() { mc.All(t.Context())(func([]byte, error) bool { return false }) },
	} {
		wantPanic(t, what+" while another goroutine is in the handle", call)
	}
	for _, e := range []*end{&p.end, &c.end, &mp.end, &mc.end} {
		e.inUse.Leave()
	}
	if v, err := c.TryPop(); v != 1 || err != nil {
		t.Errorf("after the panics: %d, %v", v, err)
	}
}

// The specs that Spec refuses, and what the ends say to rings they do not serve.
func TestTypesAndKinds(t *testing.T) {
	b := plainBed(t)
	for name, err := range map[string]error{
		"pointer":  second(Spec[*int](layout.SPSC, 8)),
		"string":   second(Spec[struct{ S string }](layout.SPSC, 8)),
		"slice":    second(Spec[[2][]byte](layout.SPSC, 8)),
		"uintptr":  second(Spec[uintptr](layout.SPSC, 8)),
		"no bytes": second(Spec[struct{}](layout.SPSC, 8)),
	} {
		if !isOneLine(err, ErrType) {
			t.Errorf("Spec of %s: %v, want one line that matches ErrType", name, err)
		}
	}
	for name, err := range map[string]error{
		"0 slots":  second(Spec[int](layout.SPSC, 0)),
		"3 slots":  second(Spec[int](layout.SPSC, 3)),
		"-8 slots": second(Spec[int](layout.SPSC, -8)),
		"32 bytes": second(MsgSpec(layout.SPSC, 32, 0)),
		"-1 max":   second(MsgSpec(layout.SPSC, 64, -1)),
		"25 of 64": second(MsgSpec(layout.SPSC, 64, 25)),
		"huge max": second(MsgSpec(layout.SPSC, 64, 1<<40)),
	} {
		if !isOneLine(err, shm.ErrSpec) {
			t.Errorf("Spec of %s: %v, want one line that matches ErrSpec", name, err)
		}
	}
	fixed := b.segment(t, specOf[uint64](t, 8))
	msgs := b.segment(t, msgSpec(t, 64))
	many := specOf[uint64](t, 8)
	many.Kind = layout.MPMC
	for _, c := range []struct {
		what string
		err  error
		is   error
	}{
		{"another type", second(NewProducer[int64](fixed, nil)), ErrType},
		{"another size", second(NewConsumer[uint32](fixed, nil)), ErrType},
		{"a pointer", second(NewConsumer[*int](fixed, nil)), ErrType},
		{"typed on messages", second(NewProducer[uint64](msgs, nil)), ErrKind},
		{"typed on messages", second(NewConsumer[uint64](msgs, nil)), ErrKind},
		{"messages on typed", second(NewMsgProducer(fixed, nil)), ErrKind},
		{"messages on typed", second(NewMsgConsumer(fixed, nil)), ErrKind},
		{"raw on messages", second(NewRawProducer(msgs, nil)), ErrKind},
		{"raw on messages", second(NewRawConsumer(msgs, nil)), ErrKind},
	} {
		if !isOneLine(c.err, c.is) {
			t.Errorf("%s: %v, want one line that matches %v", c.what, c.err, c.is)
		}
	}
}
