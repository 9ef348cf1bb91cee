package ring

import (
	"fmt"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// Info is what an observer sees of a segment at one moment.
type Info struct {
	Path    string
	Spec    layout.Spec
	Size    int64 // of the file, in bytes
	Origin  layout.Origin
	State   string // "open", "shutdown", "drained" (shut down and nothing left) or "corrupt: why"
	Stats   Stats
	Seats   []SeatInfo // every seat that has an owner, living or dead
	Version string     // of the format, "major.minor"
}

// SeatInfo is one seat that has an owner, or whose owner died and was not settled yet.
type SeatInfo struct {
	Index   int
	Role    layout.Role
	Name    string
	PID     int       // in the owner's PID namespace; for people
	Since   time.Time // when it was taken
	Alive   bool      // the owner can still act; a stopped one is alive
	Stopped bool      // alive, but suspended by a signal or a debugger, as far as /proc tells
	Epoch   uint32    // how often the seat was taken
	Lag     uint64    // of a consumer: how much is published that it has not released
	Parks   uint64    // totals over all owners of this seat
	Wakes   uint64
	Rescues uint64
}

// Inspect looks at the segment at path through a read-only mapping. It takes no
// seat, waits for nobody, and disturbs nobody. A file that is truncated meanwhile
// is an error that matches shm.ErrFormat.
func Inspect(path string) (info Info, err error) {
	s, err := shm.OpenReadOnly(path)
	if err != nil {
		return Info{}, err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	defer shm.Guard(&err)()
	return inspect(s)
}

func inspect(s *shm.Segment) (Info, error) {
	h := s.Header()
	info := Info{
		Path: s.Path(), Spec: s.Spec(), Size: h.Geometry.FileSize, Origin: h.Origin,
		Stats: statsOf(s), Version: fmt.Sprintf("%d.%d", layout.Major, layout.Minor),
	}
	info.State = stateText(s, info.Stats)
	seats := layout.SeatsAt(s.Memory(), info.Spec.Seats)
	for i := range seats {
		line := &seats[i]
		alive, err := s.Alive(i)
		if err != nil {
			return Info{}, err
		}
		if !alive && line.State.Load() != layout.SeatTaken { // observes: its owner's sit and Leave
			continue
		}
		seat := SeatInfo{
			Index: i, Role: layout.Role(line.Role.Load()), Name: line.OwnerName(), PID: int(line.PID.Load()),
			Since: time.Unix(0, line.Since.Load()), Alive: alive, Epoch: line.Epoch.Load(),
			Parks: line.Parks.Load(), Wakes: line.Wakes.Load(), Rescues: line.Rescues.Load(),
		}
		seat.Stopped = alive && shm.Stopped(seat.PID)
		if seat.Role == layout.RoleConsumer {
			seat.Lag = uint64(info.Stats.Len)
		}
		info.Seats = append(info.Seats, seat)
	}
	return info, nil
}

func stateText(s *shm.Segment, st Stats) string {
	c := s.Control()
	switch v := c.State.Load(); v { // observes: Shutdown, MarkCorrupt
	case layout.StateOpen:
		return "open"
	case layout.StateShutdown:
		if st.Len == 0 {
			return "drained"
		}
		return "shutdown"
	case layout.StateCorrupt:
		return fmt.Sprintf("corrupt: %s, seen at position %d", layout.ReasonText(c.Reason.Load()), c.Where.Load())
	default:
		return fmt.Sprintf("corrupt: state word %d", v)
	}
}
