package lab

import (
	"context"
	"errors"
	"fmt"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// deathMessages are pushed before the victim begins the one that it never commits.
const deathMessages = 3

func messageRing() (*shm.Segment, error) {
	spec, err := ring.MsgSpec(layout.SPSC, 4096, 0)
	if err != nil {
		return nil, err
	}
	return shm.CreateTemp(spec)
}

// pushAndHalf pushes some messages and writes half of the next.
func pushAndHalf(j *job) error {
	s, err := shm.OpenFile(j.file(1))
	if err != nil {
		return err
	}
	p, err := ring.NewMsgProducer(s, nil)
	if err != nil {
		return err
	}
	for i := range deathMessages {
		if err := p.TryPush(fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	m, err := p.Reserve(8)
	if err == nil {
		copy(m, "hal")
	}
	return err
}

// afterRing takes the seat of the dead, pushes one more, and consumes all there is.
func afterRing(ctx context.Context, row *DeathRow, s *shm.Segment) error {
	var p *ring.MsgProducer
	for {
		var err error
		if p, err = ring.NewMsgProducer(s, nil); err == nil {
			break
		}
		if !errors.Is(err, shm.ErrBusy) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row.Said = "ErrBusy, while it lived"
		stall(1000)
	}
	defer p.Close()
	row.Free = true
	if err := p.TryPush(fmt.Append(nil, deathMessages)); err != nil {
		return err
	}
	c, err := ring.NewMsgConsumer(s, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range deathMessages + 1 {
		m, err := c.TryPop(nil)
		if err != nil || string(m) != fmt.Sprint(i) {
			return fmt.Errorf("message %d came as %q (%v); this is a bug", i, m, err)
		}
	}
	if m, err := c.TryPop(nil); err != ring.ErrEmpty {
		return fmt.Errorf("a message came that nobody pushed: %q (%v); this is a bug", m, err)
	}
	row.Found = fmt.Sprintf("%d messages, 1 half written", deathMessages)
	row.Becomes = fmt.Sprintf("%d whole ones came", deathMessages+1)
	return nil
}
