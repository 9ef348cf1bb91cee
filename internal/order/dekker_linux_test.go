package order

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

// litmus is the store-buffering test of the package comment: no round may end
// with both sides having missed the other.
type litmus struct {
	tail, parked, round, done, saw struct {
		v uint64
		_ [120]byte
	}
	next uint64 // the sleeper's own
}

const noMore = ^uint64(0)

func (l *litmus) publisher() {
	rnd := rand.New(rand.NewPCG(1, 2))
	for r := uint64(1); ; r++ {
		if await(&l.round.v, r) == noMore {
			return
		}
		for range rnd.IntN(200) {
			Pause()
		}
		StoreRelease(&l.tail.v, r)
		saw := atomic.LoadUint64(&l.parked.v)
		atomic.StoreUint64(&l.saw.v, saw)
		atomic.StoreUint64(&l.done.v, r)
	}
}

// sleeper returns in how many of its rounds both sides missed each other.
func (l *litmus) sleeper(barrier func() error) (missed, rounds int, err error) {
	for end := time.Now().Add(2 * time.Second); rounds < 20_000 && time.Now().Before(end); rounds++ {
		l.next++
		r := l.next
		atomic.StoreUint64(&l.round.v, r)
		for range rand.IntN(200) {
			Pause()
		}
		atomic.SwapUint64(&l.parked.v, r) // not Store, see StoreRelease under -race; a sleeper uses CAS
		if err := barrier(); err != nil {
			return 0, 0, err
		}
		got := atomic.LoadUint64(&l.tail.v)
		await(&l.done.v, r)
		if got != r && atomic.LoadUint64(&l.saw.v) != r {
			missed++
		}
	}
	return missed, rounds, nil
}

// await polls p until it is at least v.
func await(p *uint64, v uint64) uint64 {
	for i := 1; ; i++ {
		if got := atomic.LoadUint64(p); got >= v {
			return got
		}
		if Pause(); i%1000 == 0 {
			runtime.Gosched()
		}
	}
}

func (l *litmus) run(t *testing.T) {
	control, tries, err := l.sleeper(func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	missed, rounds, err := l.sleeper(Barrier)
	if err != nil {
		t.Fatal("Barrier:", err)
	}
	t.Logf("lost with Barrier: %d of %d rounds; control without: %d of %d", missed, rounds, control, tries)
	if missed != 0 {
		t.Errorf("%d of %d rounds lost the wake in spite of Barrier", missed, rounds)
	}
	if !Plain && control != 0 {
		t.Errorf("StoreRelease orders later loads on this build, yet the control lost %d", control)
	}
	atomic.StoreUint64(&l.round.v, noMore)
}

func needBarrier(t *testing.T) {
	if !Supported() {
		t.Skip("this kernel or sandbox has no expedited global membarrier")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("one CPU: nothing to reorder")
	}
}

func TestDekkerInProcess(t *testing.T) {
	needBarrier(t)
	if err := Register(); err != nil {
		t.Fatal("Register:", err)
	}
	l := new(litmus)
	ended := make(chan struct{})
	go func() { defer close(ended); l.publisher() }()
	l.run(t)
	<-ended
}

func TestDekkerTwoProcesses(t *testing.T) {
	needBarrier(t)
	path := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(path, make([]byte, unsafe.Sizeof(litmus{})), 0o600); err != nil {
		t.Fatal(err)
	}
	l := mapLitmus(path)
	p := child.Start(t, "publisher", path)
	p.Expect("ready")
	l.run(t)
	if err := p.Wait(); err != nil {
		t.Error("publisher:", err)
	}
}

func mapLitmus(path string) *litmus {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(litmus{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*litmus)(unsafe.Pointer(&b[0]))
}

func init() {
	child.Register("publisher", func(args []string) {
		if err := Register(); err != nil {
			panic(err)
		}
		l := mapLitmus(args[0])
		fmt.Println("ready")
		l.publisher()
	})
	child.Register("refused", func(args []string) {
		errno, err := strconv.Atoi(args[0])
		if err != nil {
			panic(err)
		}
		if err := child.DenySyscall(unix.SYS_MEMBARRIER, syscall.Errno(errno)); err != nil {
			fmt.Println("skip", err)
			return
		}
		fmt.Println(Supported(), errors.Is(Register(), errors.ErrUnsupported), errors.Is(Barrier(), errors.ErrUnsupported))
	})
}

func TestRefusedBySandbox(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EPERM, unix.ENOSYS} {
		p := child.Start(t, "refused", strconv.Itoa(int(errno)))
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if len(line) > 4 && line[:4] == "skip" {
			t.Skip(line)
		}
		if line != "false true true" {
			t.Errorf("membarrier refused with %v: Supported, Register, Barrier unsupported = %s", errno, line)
		}
	}
}
