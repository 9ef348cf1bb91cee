//go:build linux && !failpoint

package futex

import (
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

// arm lets this process die at some instant.
func arm(int) {
	time.AfterFunc(time.Duration(rand.IntN(5000))*time.Microsecond, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
}
