package bench

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// turn is this machine's leave to measure, held for one sample at a time. Two measurements at once would spoil each other, and
// under SCHED_FIFO stop each other for good: the producer of one spins on the CPU that the producer of the other needs,
// and the consumers the other way round.
type turn struct{ f *os.File }

func openTurn() (turn, error) {
	name := filepath.Join(os.TempDir(), fmt.Sprintf("ringway-bench-%d.lock", os.Getuid()))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return turn{}, fmt.Errorf("bench: no lock file to keep measurements apart: %w", err)
	}
	return turn{f}, nil
}

func (t turn) take() error {
	for {
		err := unix.Flock(int(t.f.Fd()), unix.LOCK_EX)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return fmt.Errorf("bench: cannot lock %s: %w", t.f.Name(), err)
		}
	}
}

func (t turn) give() { _ = unix.Flock(int(t.f.Fd()), unix.LOCK_UN) }

func (t turn) close() {
	if t.f != nil {
		t.f.Close()
	}
}
