//go:build linux

package futex_test

import (
	"fmt"
	"sync/atomic"
	"time"

	"ringway/futex"
)

// One goroutine waits until the other has published. Between processes it is the
// same, with both words in shared memory.
func ExampleEvent() {
	var (
		changed   futex.Event
		published atomic.Int64
	)
	go func() {
		published.Add(42) // publish first, ...
		changed.Notify()  // ... then look for sleepers; a load if there are none
	}()

	for published.Load() == 0 {
		token := changed.Prepare()
		if published.Load() != 0 { // look again once we are announced
			break
		}
		if err := changed.Wait(token, 100*time.Millisecond); err != nil {
			continue // os.ErrDeadlineExceeded: look at the condition ourselves
		}
	}
	fmt.Println("got", published.Load())
	// Output: got 42
}
