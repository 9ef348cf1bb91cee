//go:build linux

package shm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringway/internal/child"
	detector "ringway/internal/race"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func init() {
	child.Register("var-counter", varCounter)
	child.Register("var-pong", varPong)
}

// account is a value whose parts belong together.
type account struct {
	Balance int64
	Count   uint32
	Tag     [5]byte
}

func createVar[T any](t *testing.T) (*shm.Var[T], string) {
	t.Helper()
	path := filepath.Join(ramDir(t), "v")
	v, err := shm.CreateVar[T](path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkErr(t, v.Close()) })
	return v, path
}

func openVar[T any](t *testing.T, path string) *shm.Var[T] {
	t.Helper()
	v, err := shm.OpenVar[T](path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkErr(t, v.Close()) })
	return v
}

func set[T any](t *testing.T, v *shm.Var[T], x T) {
	t.Helper()
	checkErr(t, v.Update(t.Context(), func(p *T) error { *p = x; return nil }))
}

func TestVar(t *testing.T) {
	a, path := createVar[account](t)
	b := openVar[account](t, path)
	if got := b.Load(); got != (account{}) || b.Version() != 0 {
		t.Errorf("a new one holds %+v, version %d", got, b.Version())
	}
	want := account{Balance: -7, Count: 3, Tag: [5]byte{1, 2, 3, 4, 5}}
	set(t, a, want)
	if got := b.Load(); got != want || b.Version() != 1 {
		t.Errorf("%+v, version %d", got, b.Version())
	}
	checkErr(t, b.Update(t.Context(), func(p *account) error {
		if *p != want {
			t.Errorf("update begins with %+v", *p)
		}
		p.Balance++
		return nil
	}))
	want.Balance++
	a.Read(func(p *account) {
		if *p != want {
			t.Errorf("%+v", *p)
		}
		p.Count = 99 // a copy
	})
	if got := a.Load(); got != want {
		t.Errorf("after Read: %+v", got)
	}
	if got := a.Segment().Spec(); got.Kind != layout.Var || got.Elem.Size != 24 {
		t.Errorf("spec %v", got)
	}
}

// What an update that fails wrote is nowhere to be seen, and the next one goes on.
func TestVarUpdateFails(t *testing.T) {
	a, path := createVar[account](t)
	b := openVar[account](t, path)
	want := account{Balance: 1}
	set(t, a, want)
	mine := errors.New("no")
	if err := a.Update(t.Context(), func(p *account) error { p.Balance = 2; return mine }); err != mine {
		t.Errorf("%v, want the function's own error", err)
	}
	func() {
		defer func() {
			if r := recover(); r != "oops" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = a.Update(t.Context(), func(p *account) error { p.Balance = 3; panic("oops") })
	}()
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = a.Update(t.Context(), func(p *account) error { p.Balance = 4; runtime.Goexit(); return nil })
	}()
	<-exited
	for _, v := range []*shm.Var[account]{a, b} {
		if got := v.Load(); got != want || v.Version() != 1 {
			t.Errorf("%+v, version %d", got, v.Version())
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(mine)
	if err := a.Update(ended, func(*account) error { t.Error("called"); return nil }); err != mine {
		t.Errorf("with an ended context: %v", err)
	}
	in, out := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- b.Update(t.Context(), func(p *account) error { close(in); <-out; p.Count = 5; return nil })
	}()
	<-in
	for _, v := range []*shm.Var[account]{a, b} { // another handle of it, and the same
		ctx, cancel := context.WithCancelCause(t.Context())
		waits := make(chan error, 1)
		go func() { waits <- v.Update(ctx, func(*account) error { return nil }) }()
		time.AfterFunc(time.Millisecond, func() { cancel(mine) })
		if err := <-waits; err != mine {
			t.Errorf("cancelled while another updates: %v", err)
		}
	}
	if got := a.Load(); got != want { // it holds nobody up
		t.Errorf("while an update goes on: %+v", got)
	}
	close(out)
	checkErr(t, <-held)
	if got := a.Load(); got.Count != 5 {
		t.Errorf("%+v", got)
	}
}

func TestVarRefused(t *testing.T) {
	dir := ramDir(t)
	_, err := shm.CreateVar[struct{ P *int }](filepath.Join(dir, "p"), 0o600)
	wantError(t, "a pointer", err, shm.ErrType, "P is a ptr")
	_, err = shm.CreateVar[string](filepath.Join(dir, "p"), 0o600)
	wantError(t, "a string", err, shm.ErrType)
	_, err = shm.OpenVar[[]byte](filepath.Join(dir, "p"))
	wantError(t, "a slice", err, shm.ErrType)
	_, path := createVar[account](t)
	_, err = shm.CreateVar[account](path, 0o600)
	wantError(t, "again", err, os.ErrExist)
	_, err = shm.OpenVar[int64](path)
	wantError(t, "another type", err, shm.ErrType, "it holds 24 bytes of type ", "T has 8 of type 2ae1af192b331746")
	_, err = shm.OpenOrCreateVar[int64](path, 0o600)
	wantError(t, "another type", err, shm.ErrType)
	_, err = shm.OpenVar[account](path + ".no")
	wantError(t, "nothing", err, os.ErrNotExist)
	v, err := shm.OpenOrCreateVar[account](path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	checkErr(t, v.Close())
	checkErr(t, v.Close())
	wantError(t, "Update after Close", v.Update(t.Context(), func(*account) error { return nil }), shm.ErrClosed)
	wantError(t, "Changed after Close", v.Changed(t.Context()), shm.ErrClosed)
	func() {
		defer func() {
			if r := recover(); r != "shm: Load of a variable after Close" {
				t.Errorf("Load after Close: %v", r)
			}
		}()
		v.Load()
	}()

	// A ring is no variable, and a variable is no ring.
	ringPath := filepath.Join(dir, "r")
	create(t, ringPath, spec)
	_, err = shm.OpenVar[account](ringPath)
	wantError(t, "a ring", err, shm.ErrKind, "it is a ring (spsc messages, 256 bytes), no variable")
	s := reopen(t, path)
	_, e1 := ring.NewProducer[account](s, nil)
	_, e2 := ring.NewConsumer[account](s, nil)
	_, e3 := ring.NewMsgProducer(s, nil)
	_, e4 := ring.NewMsgConsumer(s, nil)
	_, e5 := ring.NewRawConsumer(s, nil)
	for i, err := range []error{e1, e2, e3, e4, e5} {
		wantError(t, fmt.Sprint("ring ", i), err, ring.ErrKind, "it is a variable (var, one value of 24 bytes), no ring; use shm.OpenVar")
	}
	_, err = ring.Last(path, 1)
	wantError(t, "Last", err, ring.ErrKind)
	_, err = s.Take(layout.RoleProducer, "")
	wantError(t, "a seat", err, shm.ErrKind, "it is a variable, which has none")
	info, err := ring.Inspect(path)
	if err != nil || info.State != "open" || info.Stats.Tail != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	found, err := ring.Check(path)
	for _, f := range found {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
	if err != nil || len(found) < 4 {
		t.Errorf("%+v, %v", found, err)
	}
}

// Values of every size come through whole, up to their last byte and not beyond.
func TestVarSizes(t *testing.T) {
	sized[[1]byte](t)
	sized[[7]byte](t)
	sized[[8]byte](t)
	sized[[13]byte](t)
	sized[[127]byte](t)
	sized[[128]byte](t)
	sized[[129]byte](t)
	sized[[4096]byte](t)
	sized[[70_001]byte](t)
}

func sized[T any](t *testing.T) {
	v, _ := createVar[T](t)
	var x T
	size := int(v.Segment().Spec().Elem.Size)
	b := viewBytes(&x)
	for round := range 4 {
		for i := range b {
			b[i] = byte(i*7 + round)
		}
		set(t, v, x)
		got := v.Load()
		for i, c := range viewBytes(&got) {
			if c != b[i] {
				t.Fatalf("%d bytes, round %d: byte %d is %d, want %d", size, round, i, c, b[i])
			}
		}
	}
	data := v.Segment().Header().Geometry
	for i := range layout.VarCopies {
		end := data.DataOff + uint64(i)*data.Stride + uint64(size+7)&^7
		for at := end; at < data.DataOff+uint64(i+1)*data.Stride; at++ {
			if v.Segment().Memory()[at] != 0 {
				t.Fatalf("%d bytes: it wrote to byte %d", size, at)
			}
		}
	}
}

// Load allocates nothing, as its result need not.
func TestVarLoadAllocates(t *testing.T) {
	if detector.Enabled {
		t.Skip("the race detector allocates")
	}
	v, _ := createVar[account](t)
	if n := testing.AllocsPerRun(100, func() { v.Load() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// page is a value of which a torn copy shows: every word is the same.
type page [512]uint64

func (p *page) torn() bool {
	for _, w := range p {
		if w != p[0] {
			return true
		}
	}
	return false
}

// varCounter adds 1 to a page args[1] times.
func varCounter(args []string) {
	v, err := shm.OpenVar[page](args[0])
	if err != nil {
		panic(err)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for range n {
		err := v.Update(context.Background(), func(p *page) error {
			if p.torn() {
				panic("an update began with a torn value")
			}
			for i := range p {
				p[i]++
			}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	fmt.Println("done")
}

// Updates of several processes and goroutines are never lost, and no reader ever sees part
// of one.
func TestVarNoLostUpdates(t *testing.T) {
	v, path := createVar[page](t)
	const procs, each = 3, 2000
	var ps [procs]*child.Proc
	for i := range ps {
		ps[i] = child.Start(t, "var-counter", path, strconv.Itoa(each))
		ps[i].Expect("ready")
	}
	var stop atomic.Bool
	var loads, torn atomic.Uint64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r := openVar[page](t, path)
			last := uint64(0)
			for !stop.Load() {
				p := r.Load()
				loads.Add(1)
				if p.torn() || p[0] < last {
					torn.Add(1)
				}
				last = p[0]
			}
		})
	}
	const goroutines, times = 4, 200
	var writers sync.WaitGroup
	for range goroutines {
		writers.Go(func() {
			for range times {
				checkErr(t, v.Update(t.Context(), func(p *page) error {
					for i := range p {
						p[i]++
					}
					return nil
				}))
			}
		})
	}
	writers.Wait()
	for _, p := range ps {
		p.Expect("done")
	}
	stop.Store(true)
	wg.Wait()
	const want = procs*each + goroutines*times
	if got := v.Load(); got[0] != want || got.torn() || v.Version() != want || torn.Load() != 0 {
		t.Errorf("%d, version %d, want %d; %d torn", got[0], v.Version(), want, torn.Load())
	}
	t.Logf("%d updates by %d processes, %d loads meanwhile, %d torn or backwards", want, procs+1, loads.Load(), torn.Load())
}

// varPong answers each odd number with the next one.
func varPong(args []string) {
	v, err := shm.OpenVar[account](args[0])
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for {
		if got := v.Load(); got.Count%2 == 1 {
			if err := v.Update(context.Background(), func(p *account) error { p.Count++; return nil }); err != nil {
				panic(err)
			}
		}
		if err := v.Changed(context.Background()); errors.Is(err, shm.ErrClosed) {
			fmt.Println("closed")
			return
		} else if err != nil {
			panic(err)
		}
	}
}

func TestVarChanged(t *testing.T) {
	v, path := createVar[account](t)
	p := child.Start(t, "var-pong", path)
	p.Expect("ready")
	const rounds = 500
	for i := range rounds {
		checkErr(t, v.Update(t.Context(), func(p *account) error { p.Count++; return nil }))
		for v.Load().Count != uint32(2*i+2) {
			checkErr(t, v.Changed(t.Context()))
		}
	}

	// Our own update is looked at; another handle's is not, however long ago.
	set(t, v, account{})
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("enough")
	cancel(mine)
	if err := v.Changed(ctx); err != mine {
		t.Errorf("after our own update: %v", err)
	}
	w := openVar[account](t, path)
	set(t, v, account{Balance: 2})
	for range 2 {
		checkErr(t, w.Changed(ctx)) // not looked at yet, whatever ctx
	}
	w.Load()
	waits := make(chan error, 1)
	ctx, cancel = context.WithCancelCause(t.Context())
	go func() { waits <- w.Changed(ctx) }()
	select {
	case err := <-waits:
		t.Errorf("nothing changed, and Changed says %v", err)
	case <-time.After(time.Millisecond): // however short, it must not have returned
	}
	cancel(mine)
	if err := <-waits; err != mine {
		t.Errorf("cancelled: %v", err)
	}
	go func() { waits <- w.Changed(t.Context()) }()
	checkErr(t, v.Segment().Shutdown())
	wantError(t, "shut down", <-waits, shm.ErrClosed)
	p.Expect("closed")
	wantError(t, "Update of a variable that was shut down", v.Update(t.Context(), func(*account) error { return nil }), shm.ErrClosed)
	if got := w.Load(); got != (account{Balance: 2}) {
		t.Errorf("shut down, it holds %+v", got)
	}
	info, err := ring.Inspect(path)
	if err != nil || info.State != "shutdown" || !strings.Contains(info.Spec.String(), "var, one value") {
		t.Errorf("%+v, %v", info, err)
	}
}

func BenchmarkVarLoad(b *testing.B) {
	benchmarkVar(b, func(v *shm.Var[page]) { v.Load() }, func(v *shm.Var[account]) { v.Load() })
}

func BenchmarkVarUpdate(b *testing.B) {
	ctx := b.Context()
	benchmarkVar(b,
		func(v *shm.Var[page]) { _ = v.Update(ctx, func(p *page) error { p[0]++; return nil }) },
		func(v *shm.Var[account]) { _ = v.Update(ctx, func(a *account) error { a.Count++; return nil }) })
}

func benchmarkVar(b *testing.B, large func(*shm.Var[page]), small func(*shm.Var[account])) {
	dir := b.TempDir()
	p, err := shm.CreateVar[page](filepath.Join(dir, "page"), 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	a, err := shm.CreateVar[account](filepath.Join(dir, "account"), 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	b.Run("24 bytes", func(b *testing.B) {
		for b.Loop() {
			small(a)
		}
	})
	b.Run("4096 bytes", func(b *testing.B) {
		for b.Loop() {
			large(p)
		}
	})
}

// What a cancelled wait started has ended when it returns: it would touch memory that the
// caller may unmap. Without a second processor it would come late every time.
func TestVarChangedLeavesNothingBehind(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		v, path := createVar[account](t)
		if err := v.Changed(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled, it says %v", err)
		}
		checkErr(t, v.Close())
		checkErr(t, shm.Remove(path))
		runtime.Gosched()
	}
}
