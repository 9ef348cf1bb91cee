package ring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ringway/layout"
	"ringway/shm"
)

// A cancel runs in a goroutine that nobody can guard. On a ring whose file was
// truncated meanwhile it must not end the process.
func TestCancelOnTruncatedFile(t *testing.T) {
	for n := range 6 {
		path := filepath.Join(t.TempDir(), "r.ring")
		s, err := shm.Create(path, specOf[uint64](t, 8), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		parked, ended := make(chan struct{}), make(chan error)
		go func() {
			var err error
			defer func() { ended <- err }()
			defer shm.Guard(&err)()
			c, e := NewConsumer[uint64](s, parkAtOnce)
			if e != nil {
				err = e
				close(parked)
				return
			}
			close(parked)
			if n%2 == 0 {
				_, err = c.Pop(ctx)
			} else {
				_, err = Wait(ctx, c)
			}
		}()
		<-parked
		for layout.SeatsAt(s.Memory(), s.Spec().Seats)[layout.ConsumerSeat].Parks.Load() == 0 {
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		cancel(errStop)
		if err := <-ended; !errors.Is(err, shm.ErrFormat) && !errors.Is(err, errStop) {
			t.Fatalf("a cancelled wait on a truncated ring: %v, want ErrFormat or the cause", err)
		}
		// The seat's line is gone with the file, so nothing can be closed in order; the
		// process's end does it.
	}
}
