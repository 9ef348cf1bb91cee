package lab

import (
	"context"
	"errors"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// ringOfNumbers makes a ring without a name for one producer and one consumer.
func ringOfNumbers(slots int) (*shm.Segment, error) {
	spec, err := ring.Spec[uint64](layout.SPSC, slots)
	if err != nil {
		return nil, err
	}
	return shm.CreateTemp(spec)
}

// numbersThrough is the bounded buffer without a variable that two write: the producer
// alone moves tail, the consumer alone moves head, and full and empty follow from both.
func numbersThrough(j *job, counted func(func() (uint64, error)) func(uint64) (uint64, bool, error)) (bufferEnds, error) {
	s, err := shm.OpenFile(j.file(1))
	if err != nil {
		return bufferEnds{}, err
	}
	if j.Side == 0 {
		p, err := ring.NewProducer[uint64](s, nil)
		if err != nil {
			return bufferEnds{}, errors.Join(err, s.Close())
		}
		return bufferEnds{
			put:   func(item uint64) error { return p.Push(context.Background(), item) },
			leave: func() error { return errors.Join(p.Close(), s.Close()) },
		}, nil
	}
	c, err := ring.NewConsumer[uint64](s, nil)
	if err != nil {
		return bufferEnds{}, errors.Join(err, s.Close())
	}
	return bufferEnds{
		take:  counted(func() (uint64, error) { return c.Pop(context.Background()) }),
		leave: func() error { return errors.Join(c.Close(), s.Close()) },
	}, nil
}
