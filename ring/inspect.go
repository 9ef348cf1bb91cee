package ring

import (
	"fmt"
	"sync/atomic"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// Info is what an observer sees of a segment at one moment. Of a variable, Stats.Tail is
// its version.
type Info struct {
	Path    string
	Spec    layout.Spec
	Size    int64 // of the file, in bytes
	Origin  layout.Origin
	State   string // "open", "shutdown", "drained" (shut down and nothing left) or "corrupt: why"
	Stats   Stats
	Seats   []SeatInfo   // every seat that has an owner, living or dead, or holds a message
	Users   shm.Attached // who has it mapped for writing, with or without a seat
	Version string       // of the format, "major.minor"
}

// SeatInfo is one seat that has an owner, or whose owner died or left with a message in hand.
type SeatInfo struct {
	Index   int
	Role    layout.Role
	Name    string
	PID     int         // in the owner's PID namespace; for people
	Since   time.Time   // when it was taken
	Alive   bool        // the owner can still act; a stopped one is alive
	Stopped bool        // alive, but suspended by a signal, a debugger or a freezer, as far as /proc tells
	Process shm.Process // of a living owner, as far as /proc tells; for people, nothing depends on it
	Orphan  bool        // MPMC: nobody owns it, and the next consumer gets the message in it
	Epoch   uint32      // how often the seat was taken
	Lag     uint64      // of a consumer: how much is published that it has not released. On MPMC, for all consumers to share, and what it has in hand
	Parks   uint64      // totals over all owners of this seat
	Wakes   uint64
	Rescues uint64

	Flight      layout.SeatRec // MPMC: what the owner is in the middle of, or was when it died, and with which blocks
	Position    uint64         // MPMC: of the message that Flight is about, unless it is layout.RecHeld
	Released    uint64         // MPMC: how many elements of a packed block in hand are released already
	InDoubt     bool           // MPMC: the owner died in the middle of an exchange, and nobody has found out yet whether it happened
	Redelivered uint64         // MPMC: messages that owners of this seat got because a consumer had died
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
	var err error
	if info.Users, err = s.Attached(); err != nil {
		return Info{}, err
	}
	seats := layout.SeatsAt(s.Memory(), info.Spec.Seats)
	for i := range seats {
		alive, err := s.Alive(i)
		if err != nil {
			return Info{}, err
		}
		if state := seats[i].State.Load(); alive || state != layout.SeatFree { // observes: its owner's sit and Leave, settle
			info.Seats = append(info.Seats, seatInfo(&info, &seats[i], i, alive, state))
		}
	}
	return info, nil
}

func seatInfo(info *Info, line *layout.Seat, i int, alive bool, state uint32) SeatInfo {
	seat := SeatInfo{
		Index: i, Role: layout.Role(line.Role.Load()), Name: line.OwnerName(), PID: int(line.PID.Load()),
		Since: time.Unix(0, line.Since.Load()), Alive: alive, Epoch: line.Epoch.Load(), Orphan: !alive && state == layout.SeatOrphan,
		Parks: line.Parks.Load(), Wakes: line.Wakes.Load(), Rescues: line.Rescues.Load(), Redelivered: line.Redelivered.Load(),
	}
	if alive {
		seat.Process = shm.ProcessOf(seat.PID, line.Start.Load())
		seat.Stopped = seat.Process == shm.ProcessStopped || seat.Process == shm.ProcessFrozen
	}
	if seat.Role == layout.RoleConsumer {
		seat.Lag = uint64(info.Stats.Len)
	}
	if info.Spec.Kind == layout.MPMC {
		seat.flight(line, info.Stats.Head)
		seat.InDoubt = !alive && seat.Flight.Exchanging()
		if seat.Role == layout.RoleConsumer && seat.Flight.Kind() == layout.RecUnacked {
			seat.Lag++
		}
	}
	return seat
}

// flight reads what an MPMC seat's record says. Its owner may go on meanwhile.
func (seat *SeatInfo) flight(line *layout.Seat, near uint64) {
	const looks = 10
	for range looks {
		// observes: the owner's stores, ver and part before the record they belong to
		rec := layout.SeatRec(atomic.LoadUint64(&line.Rec))
		ver, part := atomic.LoadUint64(&line.Ver), atomic.LoadUint64(&line.Part)
		seat.Flight, seat.Position, seat.Released = rec, 0, 0
		if rec.Kind() != layout.RecHeld {
			seat.Position = layout.PositionOf(ver, near)
		}
		if rec.Kind() == layout.RecUnacked {
			seat.Released = part
		}
		if layout.SeatRec(atomic.LoadUint64(&line.Rec)) == rec {
			return
		}
	}
}

func stateText(s *shm.Segment, st Stats) string {
	c := s.Control()
	switch v := c.State.Load(); v { // observes: Shutdown, MarkCorrupt
	case layout.StateOpen:
		return "open"
	case layout.StateShutdown:
		if st.Len == 0 && s.Spec().Kind.Ring() {
			return "drained"
		}
		return "shutdown"
	case layout.StateCorrupt:
		return fmt.Sprintf("corrupt: %s, seen at position %d", layout.ReasonText(c.Reason.Load()), c.Where.Load())
	default:
		return fmt.Sprintf("corrupt: state word %d", v)
	}
}
