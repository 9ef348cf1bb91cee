package invariant

import (
	"sync"
	"testing"
	"unsafe"
)

func TestInUse(t *testing.T) {
	var u InUse
	for range 3 {
		u.Enter("producer")
		u.Leave()
	}
	u.Enter("producer")
	var got any
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() { got = recover() }()
		u.Enter("producer")
	})
	wg.Wait()
	if !Enabled {
		if got != nil || unsafe.Sizeof(u) != 0 {
			t.Errorf("built without assertions: panic %v, size %d", got, unsafe.Sizeof(u))
		}
		return
	}
	if got != "ringway: producer used by two goroutines at once" {
		t.Errorf("panic %v", got)
	}
	u.Leave()
	u.Enter("producer")
	u.Leave()
}
