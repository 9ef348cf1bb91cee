package order

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

func init() {
	// soon registers in the background, in a process that has not done so yet.
	child.Register("soon", func(args []string) {
		if errno, _ := strconv.Atoi(args[0]); errno != 0 {
			if err := child.DenySyscall(unix.SYS_MEMBARRIER, syscall.Errno(errno)); err != nil {
				fmt.Println("skip:", err)
				return
			}
		}
		if Registered() {
			panic("registered before anybody asked")
		}
		if err := RegisterSoon(); err != nil {
			fmt.Println(err)
			return
		}
		for RegisterSoon() == nil && !Registered() {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("registered")
	})
}

func TestRegisterSoon(t *testing.T) {
	if !Supported() {
		t.Skip("this kernel or sandbox has no expedited global membarrier")
	}
	child.Start(t, "soon", "0").Expect("registered")
	// Refused at once, not later and in silence.
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		line, err := child.Start(t, "soon", strconv.Itoa(int(errno))).ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if len(line) > 4 && line[:4] == "skip" {
			t.Skip(line)
		}
		if line != errBarrier.Error() {
			t.Errorf("membarrier refused with %v: %s", errno, line)
		}
	}
}
