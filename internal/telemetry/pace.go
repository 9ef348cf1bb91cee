package telemetry

import (
	"runtime"
	"time"

	"ringway/internal/order"
)

// slop is how late a time.Sleep of whole milliseconds may return; the rest of a wait is
// polled. Go's timers round up to milliseconds when nothing else runs.
const slop = uint64(250 * time.Microsecond)

func usableCPUs() int { return min(runtime.GOMAXPROCS(0), order.CPUs()) }

// Pace waits until Now reaches due, and meanwhile re-reads as many sources as there
// is time for, each at most once, as late as possible. It sleeps through whole
// milliseconds and polls the clock for the rest, where a second CPU lets it: a thousand
// samples a second or more keep one CPU busy. A due that has passed
// returns at once.
func (s *Sampler) Pace(due uint64) error {
	now := Now()
	if early := uint64(s.Cost()) + slop; now+early < due {
		time.Sleep(time.Duration(due - now - early).Truncate(time.Millisecond))
		now = Now()
	}
	for range s.sources {
		if now >= due {
			return nil
		}
		src := &s.sources[s.next]
		s.next = (s.next + 1) % Sources
		if src.file == nil || now+src.cost > due {
			continue // what never fits gets stale, and Take sees to it
		}
		if err := s.refresh(src); err != nil {
			return err
		}
		now = Now()
	}
	if s.cpus < 2 {
		if now < due {
			time.Sleep(time.Duration(due - now)) // polling would keep the receiver from running
		}
		return nil
	}
	for Now() < due {
		order.Pause()
	}
	return nil
}
