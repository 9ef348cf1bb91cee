package ring

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"ringway/layout"
	"ringway/shm"
)

// Sample is one element or message as an observer found it in the ring's memory.
type Sample struct {
	Pos      uint64 // position of its slot or of its record
	Index    int    // on a packed MPMC ring: which element of its block
	Consumed bool   // the consumer has released it
	InHand   bool   // MPMC: a consumer, or a dead one's seat, has it and has not released it
	Data     []byte // a copy
}

// Last returns the last n elements or messages that are still in the memory of
// the ring at path, consumed or not, oldest first. It looks through a read-only
// mapping, takes no seat and disturbs nobody; what the producer may have been
// overwriting meanwhile is left out, so a busy ring gives fewer. On an MPMC ring only
// what waits and what each consumer took last tell their position, and there may be
// gaps. Errors are those of Inspect.
func Last(path string, n int) ([]Sample, error) {
	r, err := LastSeen(path, n)
	return r.Samples, err
}

// Seen is what LastSeen found.
type Seen struct {
	Samples []Sample // oldest first
	Torn    int      // messages that were left out because they were overwritten while they were copied
}

// LastSeen is Last that also says how much it had to leave out.
func LastSeen(path string, n int) (seen Seen, err error) {
	s, err := shm.OpenReadOnly(path)
	if err != nil {
		return Seen{}, err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	defer shm.Guard(&err)()
	return lastSeen(s, n)
}

const (
	looks     = 50                     // at a ring whose producer overtakes the look
	lookAgain = 200 * time.Microsecond // after a look that found nothing
)

func lastSeen(s *shm.Segment, n int) (Seen, error) {
	if !s.Spec().Kind.Ring() {
		return Seen{}, fmt.Errorf("%s: %w: it is %s, which keeps no messages", s.Path(), ErrKind, s.Spec().Kind.Noun())
	}
	if n < 1 {
		return Seen{}, nil
	}
	if s.Spec().Kind == layout.MPMC {
		return lastBlocks(s, n), nil
	}
	n = min(n, s.Spec().Cap)
	o := observer{msgs: msgsIn(s), segment: s, control: s.Control()}
	look := o.messages
	if o.elem != 0 {
		look = o.elements
	}
	var best []Sample
	for try := range looks {
		if try > 0 {
			time.Sleep(lookAgain)
		}
		samples, whole := look(n)
		if whole {
			return Seen{Samples: samples}, nil
		}
		if len(samples) > len(best) {
			best = samples
		}
	}
	return Seen{Samples: best}, nil
}

// observer reads an SPSC ring while both sides go on. It copies first and asks
// afterwards whether the producer may have come past.
type observer struct {
	msgs
	segment *shm.Segment
	control *layout.Control
	order   atomic.Uint32 // private; see kept
}

// end is the position behind the last unit that was, or will be, delivered.
func (o *observer) end() uint64 { return statsOf(o.segment).Tail }

// kept returns what tells intact positions: all from low on, and all from head on.
func (o *observer) kept() (head, low uint64) {
	// Keeps the copies before the loads below: on amd64 loads stay in order anyway, on
	// arm64 an atomic exchange orders everything before it with everything after.
	o.order.Add(1)
	// Claim before tail: a claim never lies more than the ring ahead of the tail of its time.
	claim := loadPosition(&o.control.Claim) // observes: the store ahead of the producer's writes
	reach := loadPosition(&o.control.Tail)  // observes: the producer's release
	if o.elem != 0 {
		reach++ // a single push or Reserve fills the slot at tail without a claim
	}
	if d := claim - reach; int64(d) > 0 && d <= o.mask+1 { // else left from long ago: only batches claim
		reach = claim
	}
	// Positions below reach may have been stored to, and with them what lay a lap below.
	low = reach - (o.mask + 1)
	// observes: the consumer's release. Nobody writes over what it has not released.
	return loadPosition(&o.control.Head), low
}

func intact(pos, head, low uint64) bool { return int64(pos-low) >= 0 || int64(pos-head) >= 0 }

// elements copies the last n slots. whole is false if the producer overtook the copy.
func (o *observer) elements(n int) (samples []Sample, whole bool) {
	end := o.end()
	first := end - (o.mask + 1)
	if end <= o.mask {
		first = 0 // nothing was ever written before
	}
	if have := end - first; uint64(n) < have {
		first = end - uint64(n)
	}
	if head, low := o.kept(); !intact(first, head, low) {
		first = low
		if int64(head-first) < 0 {
			first = head
		}
	}
	for pos := first; int64(end-pos) > 0; pos++ {
		samples = append(samples, Sample{Pos: pos, Data: bytes.Clone(o.slot(pos))})
	}
	return o.sift(samples)
}

// sift drops what may have been overwritten while it was copied and marks what is consumed.
func (o *observer) sift(samples []Sample) (left []Sample, whole bool) {
	head, low := o.kept()
	all := len(samples)
	for len(samples) > 0 && !intact(samples[0].Pos, head, low) {
		samples = samples[1:]
	}
	for i := range samples {
		samples[i].Consumed = int64(samples[i].Pos-head) < 0
	}
	return samples, len(samples) == all
}

// messages copies the last n messages. whole is false if the producer overtook
// it, or if no place was found from which the records can be followed.
//
// There are two such places: head, unless the ring is empty, and the start of the
// lap, because no record crosses the end of the ring. From the one nearer to the end
// records lead forward to the end and, by their back links, to those before.
func (o *observer) messages(n int) (samples []Sample, whole bool) {
	end, size := o.end(), o.mask+1
	head := loadPosition(&o.control.Head) // observes: the consumer's release; always the place of a record
	lap := end &^ o.mask
	if lap == end {
		lap -= size // until the producer goes on, all of the lap before is there
	}
	if end == 0 {
		return nil, true // nothing was ever written
	}
	places := [...]uint64{lap, head}
	if depth := end - head; depth != 0 && depth < end-lap {
		places = [...]uint64{head, lap}
	}
	for _, from := range places {
		if depth := end - from; depth == 0 || depth > size {
			continue
		}
		list, ok := o.around(from, end, n)
		for i := range list {
			list[i].Data = bytes.Clone(list[i].Data)
		}
		if h, low := o.kept(); !ok || !intact(from, h, low) {
			continue
		}
		if got, all := o.sift(list); len(got) >= len(samples) {
			samples, whole = got, all
		}
		if len(samples) == n {
			break
		}
	}
	return samples, whole
}

// around lists the last n messages before end, in place, oldest first, following
// the records both ways from one of them. ok is false if they do not lead to end.
func (o *observer) around(from, end uint64, n int) (list []Sample, ok bool) {
	for at := from; at != end; {
		rec := o.word(at)
		if at&7 != 0 || !rec.Fits(at&o.mask, o.mask+1, end-at, o.max) {
			return nil, false
		}
		if rec.Kind() == layout.RecordData {
			if len(list) >= 2*n {
				list = list[:copy(list, list[len(list)-n:])]
			}
			list = append(list, Sample{Pos: at, Data: o.message(at, rec.Len())})
		}
		at += layout.RecordSize(rec.Len())
	}
	if len(list) >= n {
		return list[len(list)-n:], true
	}
	var older []Sample
	_, low := o.kept()
	for at := from; len(list)+len(older) < n; {
		back := o.word(at).Back()
		if back == 0 || back > at-low {
			break // its producer did not know, or it is overwritten by now
		}
		at -= back
		rec := o.word(at)
		if !rec.Fits(at&o.mask, o.mask+1, back, o.max) || layout.RecordSize(rec.Len()) != back {
			break
		}
		if rec.Kind() == layout.RecordData {
			older = append(older, Sample{Pos: at, Data: o.message(at, rec.Len())})
		}
	}
	slices.Reverse(older)
	return append(older, list...), true
}

// word reads the record word at a position; the mask keeps it inside.
func (o *observer) word(pos uint64) layout.Record {
	return layout.Record(loadWord(o.data, pos&o.mask&^7))
}
