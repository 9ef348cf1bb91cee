//go:build linux && failpoint

package futex

import (
	"math/rand/v2"
	"os"
	"syscall"

	"ringway/internal/failpoint"
)

// arm lets this process die when it comes to a point for the n-th time.
func arm(point int) {
	n := 1 + rand.IntN(20)
	switch failpoint.LockPoint(point) { // these are rare
	case failpoint.SemaphoreSeated, failpoint.SemaphoreReaped, failpoint.SemaphoreParking, failpoint.SemaphoreWoken, failpoint.MutexUsurped, failpoint.MutexRecovered:
		n = 1
	}
	hits := make(chan struct{}, n-1)
	failpoint.OnLock = func(at failpoint.LockPoint) {
		if int(at) != point {
			return
		}
		select {
		case hits <- struct{}{}:
		default:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // not one instruction more
		}
	}
}
