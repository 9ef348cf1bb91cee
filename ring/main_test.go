package ring

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"ringway/internal/child"
	"ringway/internal/order"
	"ringway/layout"
	"ringway/shm"
)

func TestMain(m *testing.M) {
	child.Run()
	os.Exit(m.Run())
}

// background is for calls that nothing cancels.
var background = context.Background()

// hangLimit is no measure of speed: what takes longer hangs.
const hangLimit = time.Minute

// bed is a place to put a ring in.
type bed struct {
	heap  bool
	fence layout.Fence
}

func (b bed) String() string {
	if b.heap {
		return "heap," + b.fence.String()
	}
	return "memfd," + b.fence.String()
}

// segment makes a fresh segment of spec, closed when the test ends.
func (b bed) segment(t testing.TB, spec layout.Spec) *shm.Segment {
	t.Helper()
	spec.Fence = b.fence
	create := shm.CreateTemp
	if b.heap {
		create = shm.Heap
	}
	s, err := create(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// onBeds runs test on heap and mapped memory with both fences.
func onBeds(t *testing.T, test func(t *testing.T, b bed)) {
	needSegments(t)
	for _, heap := range []bool{true, false} {
		for _, fence := range []layout.Fence{layout.Asymmetric, layout.Full} {
			b := bed{heap, fence}
			t.Run(b.String(), func(t *testing.T) {
				needFence(t, fence)
				test(t, b)
			})
		}
	}
}

// plainBed is for tests that are about neither memory nor fences.
func plainBed(t testing.TB) bed {
	needSegments(t)
	if order.Supported() {
		return bed{false, layout.Asymmetric}
	}
	return bed{false, layout.Full}
}

func needSegments(t testing.TB) {
	spec, err := Spec[byte](layout.SPSC, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := shm.Heap(spec)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no segments on this system:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func needFence(t testing.TB, f layout.Fence) {
	if f == layout.Asymmetric && !order.Supported() {
		t.Skip("this kernel or sandbox has no expedited global membarrier")
	}
}

// specOf is the spec of a ring of T.
func specOf[T any](t testing.TB, slots int) layout.Spec {
	t.Helper()
	spec, err := Spec[T](layout.SPSC, slots)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func msgSpec(t testing.TB, capacity int) layout.Spec {
	t.Helper()
	spec, err := MsgSpec(layout.SPSC, capacity, 0)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// starts are positions to begin at: zero, and so near every wrap that each test
// crosses it. Multiples of 8, as records need.
var starts = []uint64{0, 1<<32 - 24, 1<<62 - 24, 1<<63 - 24, 1<<64 - 24}

// startAt moves a ring that nobody uses yet to a position.
func startAt(s *shm.Segment, pos uint64) *shm.Segment {
	c := s.Control()
	atomic.StoreUint64(&c.Tail, pos)
	atomic.StoreUint64(&c.Head, pos)
	return s
}

// mustProducer and its like take seats that are free.
func mustProducer[T any](t testing.TB, s *shm.Segment, o *Options) *Producer[T] {
	t.Helper()
	return seated(t, func() (*Producer[T], error) { return NewProducer[T](s, o) })
}

func mustConsumer[T any](t testing.TB, s *shm.Segment, o *Options) *Consumer[T] {
	t.Helper()
	return seated(t, func() (*Consumer[T], error) { return NewConsumer[T](s, o) })
}

func mustMsgProducer(t testing.TB, s *shm.Segment, o *Options) *MsgProducer {
	t.Helper()
	return seated(t, func() (*MsgProducer, error) { return NewMsgProducer(s, o) })
}

func mustMsgConsumer(t testing.TB, s *shm.Segment, o *Options) *MsgConsumer {
	t.Helper()
	return seated(t, func() (*MsgConsumer, error) { return NewMsgConsumer(s, o) })
}

func seated[E interface{ Close() error }](t testing.TB, take func() (E, error)) E {
	t.Helper()
	e, err := take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// wantErr checks an answer that must be exactly want.
func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if got != want {
		t.Fatalf("%s = %v, want %v", what, got, want)
	}
}

// wantIs checks an answer that wraps want.
func wantIs(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s = %v, want %v", what, got, want)
	}
}

// wantPanic checks that f panics.
func wantPanic(t testing.TB, what string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

// finishes runs f and fails the test, with every stack, if it hangs.
func finishes(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	awaitDone(t, what, done)
}

func awaitDone(t testing.TB, what string, done <-chan struct{}) {
	t.Helper()
	hang := time.NewTimer(hangLimit)
	defer hang.Stop()
	select {
	case <-done:
	case <-hang.C:
		debug.SetTraceback("all")
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s hangs\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

// until polls for something another process or goroutine does.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(hangLimit); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// seed prints the seed of a random test and takes it from RINGWAY_SEED if set.
func seed(t testing.TB) uint64 {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("RINGWAY_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal("RINGWAY_SEED: ", err)
		}
	}
	t.Logf("seed: RINGWAY_SEED=%d", n)
	return n
}

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// long says whether RINGWAY_LONG asks for the long run.
func long() bool { return os.Getenv("RINGWAY_LONG") != "" }

// value returns the nth value of a T, every byte of it depending on n. T has no
// floats, whose values do not all equal themselves, and no bools.
func value[T comparable](n uint64) (v T) {
	fill(unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v)), n)
	return v
}

// fromBytes is the T that b holds.
func fromBytes[T comparable](b []byte) (v T) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v)), b)
	return v
}

// fill writes the nth content into b.
func fill(b []byte, n uint64) {
	x := (n + 1) * 0x9e3779b97f4a7c15
	for i := range b {
		if i%8 == 0 {
			x ^= x >> 29
			x *= 0xbf58476d1ce4e5b9
			x ^= x >> 32
		}
		b[i] = byte(x >> (i % 8 * 8))
	}
}
