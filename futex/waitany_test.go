//go:build linux

package futex

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

func supportsWaitAny() bool {
	var w atomic.Uint32
	_, err := WaitAny([]Waiter{{&w, 1}}, 0)
	return !errors.Is(err, errors.ErrUnsupported)
}

func needWaitAny(t *testing.T) {
	if !supportsWaitAny() {
		t.Skip("this kernel or sandbox has no futex_waitv")
	}
}

func TestWaitAnyIndex(t *testing.T) {
	needWaitAny(t)
	for _, n := range []int{1, 2, 7, MaxWaiters} {
		ws := make([]Waiter, n)
		for i := range ws {
			ws[i].Addr = new(atomic.Uint32)
		}
		for _, i := range []int{0, n / 2, n - 1} {
			ws[i].Addr.Store(1)
			if got, err := WaitAny(ws, -1); got != i || err != nil {
				t.Errorf("%d words, word %d changed: WaitAny = %d, %v", n, i, got, err)
			}
			ws[i].Addr.Store(0)

			index := -2
			tid, result := lockedWait(func() (err error) { index, err = WaitAny(ws, -1); return })
			wakeUntil(t, tid, ws[i].Addr, result, 1)
			if index != i && index != -1 {
				t.Errorf("%d words, word %d woken: WaitAny = %d", n, i, index)
			}
		}
		start := time.Now()
		if i, err := WaitAny(ws, time.Millisecond); err != nil && (i != -1 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < time.Millisecond) {
			t.Errorf("%d words: WaitAny = %d, %v after %v", n, i, err, time.Since(start))
		}
	}
	for _, n := range []int{0, MaxWaiters + 1} {
		if i, err := WaitAny(make([]Waiter, n), 0); i != -1 || err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("WaitAny of %d words = %d, %v", n, i, err)
		}
	}
}

func init() {
	child.Register("refused", func(args []string) {
		errno, err := strconv.Atoi(args[0])
		if err != nil {
			panic(err)
		}
		var w atomic.Uint32
		if !supportsWaitAny() {
			fmt.Println("skip: not supported to begin with")
			return
		}
		if err := child.DenySyscall(unix.SYS_FUTEX_WAITV, syscall.Errno(errno)); err != nil {
			fmt.Println("skip:", err)
			return
		}
		i, err := WaitAny([]Waiter{{&w, 0}}, -1)
		fmt.Println(i, errors.Is(err, errors.ErrUnsupported), noWaitv.Load())
		// Remembered: no longer asked, so that it does not even matter what is changed.
		i, err = WaitAny([]Waiter{{&w, 1}}, -1)
		fmt.Println(i, errors.Is(err, errors.ErrUnsupported), Wait(&w, 1, -1))
	})
}

func TestWaitAnyRefused(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		p := child.Start(t, "refused", strconv.Itoa(int(errno)))
		line, err := p.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "skip") {
			t.Skip(line)
		}
		if line != "-1 true true" {
			t.Errorf("futex_waitv refused with %v: index, unsupported, remembered = %s", errno, line)
		}
		p.Expect("-1 true <nil>")
	}
}
