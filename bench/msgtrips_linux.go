package bench

import (
	"context"
	"encoding/binary"

	"ringway/internal/order"
	"ringway/ring"
	"ringway/shm"
)

// msgTrips sends each message there and back.
func msgTrips(size int, o *ring.Options) work {
	return func(side Side, seg []*shm.Segment) (func(int) []int64, error) {
		p, err := ring.NewMsgProducer(seg[side], o)
		if err != nil {
			return nil, err
		}
		c, err := ring.NewMsgConsumer(seg[1-side], o)
		m := message(size)
		if o != nil {
			return untimed(func(n int) { pollMsgs(p, c, side, m, n) }, err)
		}
		return untimed(func(n int) { waitMsgs(p, c, side, m, n) }, err)
	}
}

func pollMsgs(p *ring.MsgProducer, c *ring.MsgConsumer, side Side, m []byte, n int) {
	size := len(m)
	var err error
	for i := range n {
		if side == ProducerSide {
			binary.LittleEndian.PutUint64(m, uint64(i))
			for p.TryPush(m) != nil {
				order.Pause()
			}
		}
		for m, err = c.TryPop(m[:0]); err != nil; m, err = c.TryPop(m[:0]) {
			order.Pause()
		}
		checkNumber(m, size, i)
		if side == ConsumerSide {
			for p.TryPush(m) != nil {
				order.Pause()
			}
		}
	}
}

func waitMsgs(p *ring.MsgProducer, c *ring.MsgConsumer, side Side, m []byte, n int) {
	ctx := context.Background()
	size := len(m)
	var err error
	for i := range n {
		if side == ProducerSide {
			binary.LittleEndian.PutUint64(m, uint64(i))
			if err = p.Push(ctx, m); err != nil {
				panic(err)
			}
		}
		if m, err = c.Pop(ctx, m[:0]); err != nil {
			panic(err)
		}
		checkNumber(m, size, i)
		if side == ConsumerSide {
			if err = p.Push(ctx, m); err != nil {
				panic(err)
			}
		}
	}
}
