package lab

import (
	"context"
	"errors"
	"os"

	"ringway/ring"
	"ringway/shm"
)

// counterSlots is how many numbers are on their way from one process at most.
const counterSlots = 4096

// counterRings gives each job a ring of its own as its second file.
func counterRings(jobs []job) (closeAll func(), err error) {
	var segments []*shm.Segment
	closeAll = func() {
		for _, s := range segments {
			_ = s.Close() // no ends are open here
		}
	}
	for i := range jobs {
		s, err := ringOfNumbers(counterSlots)
		if err != nil {
			closeAll()
			return nil, err
		}
		segments = append(segments, s)
		jobs[i].files = append(jobs[i].files[:len(jobs[i].files):len(jobs[i].files)], s.File())
	}
	return closeAll, nil
}

// sending is the counter without shared writing: whoever wants to add sends what to add
// to the one process that owns the number.
func (b *counterBoard) sending(j *job) (count func(n uint64) error, leave func() error, err error) {
	s, err := shm.OpenFile(j.file(1))
	if err != nil {
		return nil, nil, err
	}
	p, err := ring.NewProducer[uint64](s, nil)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	count = func(n uint64) error {
		for ; n > 0; n-- {
			if err := p.Push(context.Background(), 1); err != nil {
				return err
			}
		}
		return nil
	}
	return count, func() error { return errors.Join(p.Close(), s.Close()) }, nil
}

// counterOwner is the process that owns the number.
func counterOwner(j *job) (any, error) {
	b, _, detach, err := attach[counterBoard](j.file(0))
	if err != nil {
		return nil, err
	}
	defer detach()
	consumers := make([]*ring.Consumer[uint64], j.Procs)
	ends := make([]ring.End, j.Procs)
	for i := range consumers {
		s, err := shm.OpenFile(os.NewFile(uintptr(firstFile+1+i), "ring"))
		if err != nil {
			return nil, err
		}
		defer s.Close()
		if consumers[i], err = ring.NewConsumer[uint64](s, nil); err != nil {
			return nil, err
		}
		defer consumers[i].Close()
		ends[i] = consumers[i]
	}
	meet(&b.gate, j.Procs+1)
	s := span{From: now()}
	var x, sum uint64
	var run [64]uint64
	for expected := j.Count * uint64(j.Procs); x < expected; {
		before := x
		for _, c := range consumers {
			n, err := c.TryPopN(run[:])
			if err != nil && err != ring.ErrEmpty {
				return nil, err
			}
			for _, add := range run[:n] {
				sum += add
			}
			x += uint64(n)
		}
		if x == before {
			if _, err := ring.Wait(context.Background(), ends...); err != nil {
				return nil, err
			}
		}
	}
	b.x.Store(sum)
	s.To = now()
	return s, nil
}
