package ring

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// Finding is one invariant of a ring that Check looked at.
type Finding struct {
	Name   string // one word, stable
	OK     bool
	Detail string // what was found, for people
}

// Check looks at every invariant of the segment at path that can be seen from
// outside, through a read-only mapping and without a seat. The ring may be in use: a
// finding that is not OK is damage, never a race with a living peer. Those that span all
// slots and seats of an MPMC ring need an instant at which nothing moves; Check waits up to
// two seconds for one, and else says of these that they were changing all the time. The
// error says why the file could not be looked at; a file that is no usable segment is a
// finding.
func Check(path string) (found []Finding, err error) {
	s, err := shm.OpenReadOnly(path)
	if errors.Is(err, shm.ErrFormat) || errors.Is(err, shm.ErrVersion) {
		return []Finding{{Name: "header", Detail: strings.TrimPrefix(err.Error(), "open "+path+": ")}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	defer shm.Guard(&err)()
	return findings(s)
}

func findings(s *shm.Segment) ([]Finding, error) { return findingsWithin(s, lookFor) }

// findingsWithin waits so long for a busy MPMC ring to stand still for a look.
func findingsWithin(s *shm.Segment, patience time.Duration) ([]Finding, error) {
	k := checker{segment: s, control: s.Control(), size: uint64(s.Spec().Cap), patience: patience}
	spec := s.Spec()
	k.good("header", "format %d.%d, %v, checksum, offsets and size agree", layout.Major, layout.Minor, spec)
	k.state()
	if spec.Kind == layout.SPSC {
		k.positions()
		k.claim()
		k.seal()
	}
	if err := k.seats(); err != nil {
		return nil, err
	}
	if err := k.users(); err != nil {
		return nil, err
	}
	switch {
	case spec.Kind == layout.Var:
		k.good("value", "%d bytes, version %d", spec.Elem.Size, k.tail())
	case spec.Kind == layout.Shared:
		k.good("value", "%d bytes, in place", spec.Elem.Size)
	case spec.Kind == layout.MPMC:
		k.exchanges()
	case spec.Payload == layout.Message:
		k.records()
	}
	return k.found, nil
}

// checker collects findings. The order in which it loads words matters: both sides may
// go on meanwhile, and positions only grow.
type checker struct {
	segment *shm.Segment
	control *layout.Control
	size    uint64
	found   []Finding

	patience time.Duration
}

func (k *checker) good(name, format string, args ...any) {
	k.found = append(k.found, Finding{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)})
}

func (k *checker) bad(name, format string, args ...any) {
	k.found = append(k.found, Finding{Name: name, Detail: fmt.Sprintf(format, args...)})
}

func (k *checker) head() uint64 { return loadPosition(&k.control.Head) } // observes: the consumer's release
func (k *checker) tail() uint64 { return loadPosition(&k.control.Tail) } // observes: the producer's release

func (k *checker) state() {
	switch st := k.control.State.Load(); st { // observes: Shutdown, MarkCorrupt
	case layout.StateOpen:
		k.good("state", "open")
	case layout.StateShutdown:
		k.good("state", "shut down")
	case layout.StateCorrupt:
		k.bad("state", "corrupt: %s, seen at position %d; remove the ring and create it again",
			layout.ReasonText(k.control.Reason.Load()), k.control.Where.Load()) // observes: stored before the state
	default:
		k.bad("state", "the state word is %d, which means nothing", st)
	}
}

// positions: head <= tail <= head + size at any time. Head is read on both sides of tail,
// so it was between the two values when tail was read.
func (k *checker) positions() {
	before, tail, after := k.head(), k.tail(), k.head()
	switch {
	case int64(tail-before) < 0:
		k.bad("positions", "head %d is ahead of tail %d", before, tail)
	case int64(tail-after) > int64(k.size):
		k.bad("positions", "tail %d is %d ahead of head %d, the ring holds %d", tail, tail-after, after, k.size)
	case k.words() && (tail|after)&7 != 0:
		k.bad("positions", "head %d and tail %d must be multiples of 8", after, tail)
	default:
		depth := max(int64(tail-after), 0) // the consumer may have come past since
		k.good("positions", "head %d, tail %d, %d of %d filled", after, tail, depth, k.size)
	}
}

// words says whether the ring holds records rather than slots.
func (k *checker) words() bool { return k.segment.Spec().Payload == layout.Message }

// claim: the producer announces no more than there is room for and, where each write is
// announced, no less than it published.
func (k *checker) claim() {
	tail := k.tail()
	claim := loadPosition(&k.control.Claim) // observes: the producer's announcement
	head := k.head()
	switch {
	case claim == 0:
		k.good("claim", "nothing announced yet")
	case int64(claim-head) > int64(k.size):
		k.bad("claim", "the producer announced writes up to %d, with head %d its room ends at %d", claim, head, head+k.size)
	case k.words() && int64(claim-tail) < 0:
		k.bad("claim", "the producer announced writes up to %d only and published %d", claim, tail)
	case int64(claim-tail) > 0:
		k.good("claim", "%d announced beyond tail", claim-tail)
	default:
		k.good("claim", "nothing announced beyond tail")
	}
}

// seal: agreed only after shutdown, at a position that had been published and that the
// consumer does not pass. It is read before the state and the tail, and head before it.
func (k *checker) seal() {
	head := k.head()
	seal := k.control.Seal.Load() // observes: the sealer's CAS
	tail := k.tail()
	st := k.control.State.Load() // observes: Shutdown, MarkCorrupt
	final, ok := layout.UnpackSeal(seal, tail)
	switch {
	case seal == 0 && st == layout.StateShutdown:
		k.good("seal", "not agreed yet; the next peer that looks does it")
	case seal == 0:
		k.good("seal", "none")
	case !ok:
		k.bad("seal", "the seal word is %#x, which no sealer writes", seal)
	case st == layout.StateOpen:
		k.bad("seal", "the end is agreed at %d, but the ring is open", final)
	case int64(tail-final) < 0 || tail-final > k.size:
		k.bad("seal", "the end is agreed at %d, but tail is %d", final, tail)
	case int64(final-head) < 0:
		k.bad("seal", "the end is agreed at %d, but the consumer took up to %d", final, head)
	default:
		k.good("seal", "the end is agreed at %d", final)
	}
}

// seats: known states and roles, exclusive seats taken by their own side only. A
// seat whose owner died is a note: the next owner or reap settles it.
func (k *checker) seats() error {
	alive, dead := 0, 0
	spec := k.segment.Spec()
	table := layout.SeatsAt(k.segment.Memory(), spec.Seats)
	for i := range table {
		line := &table[i]
		// Before the role, which its owner stored first. Observes: sit and Leave.
		taken, epoch := line.State.Load(), line.Epoch.Load()
		role := layout.Role(line.Role.Load())
		held, err := k.segment.Alive(i)
		if err != nil {
			return err
		}
		switch {
		case taken > layout.SeatOrphan || taken == layout.SeatOrphan && spec.Kind == layout.SPSC:
			k.bad("seats", "seat %d has state %d, which means nothing", i, taken)
			return nil
		case role > layout.RoleConsumer || taken == layout.SeatTaken && role == 0:
			k.bad("seats", "seat %d has role %d, which means nothing", i, role)
			return nil
		case spec.Kind == layout.SPSC && role != 0 && role != exclusive(i):
			k.bad("seats", "seat %d belongs to %s, a %v has it", i, whose(i), role)
			return nil
		case spec.Kind == layout.SPSC && i > layout.ConsumerSeat && epoch != 0:
			k.bad("seats", "seat %d was taken %d times, an spsc ring uses two", i, epoch)
			return nil
		case held:
			alive++
		case taken == layout.SeatTaken && line.State.Load() == layout.SeatTaken: // again: it may just have left
			dead++
		}
	}
	note := ""
	if dead > 0 {
		note = "; the next owner, or reap, settles the dead"
	}
	k.good("seats", "%d of %d with a living owner, %d with a dead one%s", alive, len(table), dead, note)
	return nil
}

// users: known states in the attach table.
func (k *checker) users() error {
	for i := range k.control.Attach {
		// observes: enter and depart
		if st := k.control.Attach[i].State.Load(); st > layout.AttachTaken {
			k.bad("users", "entry %d of the attach table has state %d, which means nothing", i, st)
			return nil
		}
	}
	a, err := k.segment.Attached()
	if err != nil {
		return err
	}
	note := ""
	if a.RemoveOnLast {
		note = "; the last to leave removes it"
	}
	k.good("users", "%d attached%s", a.Count, note)
	return nil
}

// exclusive returns the role whose seat i is on an SPSC ring, 0 if none.
func exclusive(i int) layout.Role {
	switch i {
	case layout.ProducerSeat:
		return layout.RoleProducer
	case layout.ConsumerSeat:
		return layout.RoleConsumer
	}
	return 0
}

func whose(i int) string {
	if r := exclusive(i); r != 0 {
		return "the " + r.String()
	}
	return "nobody"
}

// overtakes bounds how often a walk over records starts again because the
// consumer came past it.
const overtakes = 1000

// records: from head to the end every word is one that a producer writes, and the back
// links say how long the record before is. What lies at or beyond head does not
// change, so a word is judged by the head that is read after it.
func (k *checker) records() {
	m := msgsIn(k.segment)
	at, end := k.head(), statsOf(k.segment).Tail
	n, restarts, before := 0, 0, uint64(0)
	for at != end {
		rec := layout.Record(loadWord(m.data, at&m.mask&^7))
		if head := k.head(); int64(head-at) > 0 {
			if restarts++; restarts > overtakes {
				k.good("records", "%d looked at, all valid; the consumer outran the rest", n)
				return
			}
			at, end, before = head, statsOf(k.segment).Tail, 0
			continue
		}
		if at&7 != 0 || end-at > k.size || !rec.Fits(at&m.mask, k.size, end-at, m.max) {
			k.bad("records", "the word at position %d is %#x, which no producer writes there", at, uint64(rec))
			return
		}
		if b := rec.Back(); b != 0 && before != 0 && b != before {
			k.bad("records", "the record at position %d says that the one before has %d bytes, it has %d", at, b, before)
			return
		}
		n++
		before = layout.RecordSize(rec.Len())
		at += before
	}
	k.good("records", "%d from head to tail, all valid", n)
}
