package ring

import (
	"fmt"
	"testing"

	"ringway/shm"
)

// queueEnds are the two ends that a worker has, as calls of a queue.
type queueEnds interface {
	push(v uint64, inPlace bool) error
	pop(inPlace bool) (uint64, error)
	Close() error
}

type elementEnds struct {
	p *Producer[uint64]
	c *Consumer[uint64]
}

func (e elementEnds) push(v uint64, inPlace bool) error {
	if !inPlace {
		return e.p.TryPush(v)
	}
	slot, err := e.p.Reserve()
	if err != nil {
		return err
	}
	*slot = v
	if err = e.p.Commit(); err != nil {
		e.p.Abort()
	}
	return err
}

func (e elementEnds) pop(inPlace bool) (uint64, error) {
	if !inPlace {
		return e.c.TryPop()
	}
	at, err := e.c.Peek()
	if err != nil {
		return 0, err
	}
	v := *at
	e.c.Release()
	return v, nil
}

func (e elementEnds) Close() error { return firstOf(e.p.Close(), e.c.Close()) }

type messageEnds struct {
	p *MsgProducer
	c *MsgConsumer
}

func (e messageEnds) push(v uint64, inPlace bool) error {
	if !inPlace {
		return e.p.TryPush([]byte{byte(v)})
	}
	b, err := e.p.Reserve(8)
	if err != nil {
		return err
	}
	b[0] = byte(v)
	if err = e.p.Commit(1); err != nil {
		e.p.Abort()
	}
	return err
}

func (e messageEnds) pop(inPlace bool) (uint64, error) {
	var b []byte
	var err error
	if inPlace {
		b, err = e.c.Peek()
	} else {
		b, err = e.c.TryPop(nil)
	}
	if err != nil {
		return 0, err
	}
	if len(b) != 1 {
		return 0, fmt.Errorf("a message of %d bytes, sent was 1", len(b))
	}
	v := uint64(b[0])
	if inPlace {
		e.c.Release()
	}
	return v, nil
}

func (e messageEnds) Close() error { return firstOf(e.p.Close(), e.c.Close()) }

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func openEnds(t testing.TB, s *shm.Segment, message bool) queueEnds {
	t.Helper()
	o := &Options{Name: "model"}
	if message {
		p, err := NewMsgProducer(s, o)
		wantErr(t, "NewMsgProducer", err, nil)
		c, err := NewMsgConsumer(s, o)
		wantErr(t, "NewMsgConsumer", err, nil)
		return messageEnds{p, c}
	}
	p, err := NewProducer[uint64](s, o)
	wantErr(t, "NewProducer", err, nil)
	c, err := NewConsumer[uint64](s, o)
	wantErr(t, "NewConsumer", err, nil)
	return elementEnds{p, c}
}
