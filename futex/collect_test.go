//go:build linux

package futex

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

func init() {
	// collect parks one goroutine in Wait and one in WaitAny, then collects garbage.
	child.Register("collect", func(args []string) {
		if args[0] == "1" {
			runtime.GOMAXPROCS(1)
		}
		var w atomic.Uint32
		waits := []func(){
			func() { check(Wait(&w, 0, -1)) },
			func() {
				if supportsWaitAny() {
					_, err := WaitAny([]Waiter{{&w, 0}}, -1)
					check(err)
				}
			},
		}
		tids, woken := make(chan int), make(chan int)
		for _, wait := range waits {
			go func() {
				runtime.LockOSThread()
				tids <- unix.Gettid()
				wait()
				woken <- 1
			}()
			for tid := <-tids; !sleeps(os.Getpid(), tid); {
				time.Sleep(time.Millisecond)
			}
		}
		fmt.Println("parked")
		for range 3 {
			runtime.GC()
		}
		fmt.Println("collected")
		w.Store(1)
		_, err := Wake(&w, len(waits))
		check(err)
		for range waits {
			<-woken
		}
		fmt.Println("woken")
	})
}

// A waiter in RawSyscall would keep its P, and no collection could ever end.
// In a process of its own, because that hangs the whole process.
func TestCollectionEndsWhileParked(t *testing.T) {
	for _, procs := range []string{"1", "2"} {
		p := child.Start(t, "collect", procs)
		for _, line := range strings.Fields("parked collected woken") {
			p.Expect(line)
		}
	}
}
