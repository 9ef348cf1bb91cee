package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"ringway/bench"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// Ringway's side of what the bench itself has no scenario for:
//
//	ringway push SIZE         one way, the blocking calls with the default wait strategy
//	ringway msg SIZE BYTES    messages one way, TryPush and TryPop, copied in and out
//	ringway msgpush SIZE BYTES the same with the blocking calls and the default wait strategy
//	ringway msgrtt SIZE BYTES messages there and back, parking as soon as a call would block
func init() {
	registerPush[[1]uint64]()
	registerPush[[8]uint64]()
	for size, capacity := range largeRings {
		registerMessages(size, capacity)
	}
}

// largeRings are the bytes of a ring by message size, for Ringway and as slots for the peers alike.
var largeRings = map[int]int{64 << 10: 4 << 20, 1 << 20: 16 << 20}

func registerPush[T [1]uint64 | [8]uint64]() {
	spec, err := ring.Spec[T](layout.SPSC, 1024)
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	name := fmt.Sprintf("ringway push %d", spec.Elem.Size)
	bench.RegisterScenario(bench.Scenario{Name: name, Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
		seg, err := shm.OpenOrCreate(filepath.Join(dir, fmt.Sprintf("push-%d.ring", spec.Elem.Size)), spec, 0o600)
		if err != nil {
			return nil, err
		}
		ctx := context.Background()
		if side == bench.ProducerSide {
			p, err := ring.NewProducer[T](seg, nil)
			return func(n int) {
				var v T
				for i := range n {
					v[0] = uint64(i)
					must(p.Push(ctx, v))
				}
			}, err
		}
		c, err := ring.NewConsumer[T](seg, nil)
		return func(n int) {
			for i := range n {
				v, err := c.Pop(ctx)
				must(err)
				verify(v[0], i)
			}
		}, err
	}})
}

func registerMessages(size, capacity int) {
	spec, err := ring.MsgSpec(layout.SPSC, capacity, 0)
	if err != nil {
		panic(err) // a scenario that cannot be is a bug
	}
	attach := func(dir, what string, o *ring.Options, from, to int) (*ring.MsgProducer, *ring.MsgConsumer, error) {
		var seg [2]*shm.Segment
		for i := range seg {
			var err error
			if seg[i], err = shm.OpenOrCreate(filepath.Join(dir, fmt.Sprintf("%s-%d.%d.ring", what, size, i)), spec, 0o600); err != nil {
				return nil, nil, err
			}
		}
		p, err := ring.NewMsgProducer(seg[from], o)
		if err != nil {
			return nil, nil, err
		}
		c, err := ring.NewMsgConsumer(seg[to], o)
		return p, c, err
	}
	bench.RegisterScenario(bench.Scenario{Name: fmt.Sprintf("ringway msg %d %d", size, capacity),
		Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
			p, c, err := attach(dir, "msg", nil, int(side), 1-int(side))
			msg := make([]byte, size)
			if side == bench.ProducerSide {
				return func(n int) {
					for i := range n {
						binary.LittleEndian.PutUint64(msg, uint64(i))
						for p.TryPush(msg) != nil {
						}
					}
				}, err
			}
			return func(n int) {
				for i := 0; i < n; {
					b, err := c.TryPop(msg[:0])
					if err != nil {
						continue
					}
					verify(binary.LittleEndian.Uint64(b), i)
					i++
				}
			}, err
		}})
	bench.RegisterScenario(bench.Scenario{Name: fmt.Sprintf("ringway msgpush %d %d", size, capacity),
		Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
			p, c, err := attach(dir, "msgpush", nil, int(side), 1-int(side))
			msg := make([]byte, size)
			ctx := context.Background()
			return func(n int) {
				for i := range n {
					if side == bench.ProducerSide {
						binary.LittleEndian.PutUint64(msg, uint64(i))
						must(p.Push(ctx, msg))
						continue
					}
					b, err := c.Pop(ctx, msg[:0])
					must(err)
					verify(binary.LittleEndian.Uint64(b), i)
				}
			}, err
		}})
	bench.RegisterScenario(bench.Scenario{Name: fmt.Sprintf("ringway msgrtt %d %d", size, capacity),
		Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
			p, c, err := attach(dir, "msgrtt", &ring.Options{Spin: 1}, int(side), 1-int(side))
			msg := make([]byte, size)
			ctx := context.Background()
			return func(n int) {
				thereAndBack(side, msg, n, func(b []byte) error { return p.Push(ctx, b) },
					func(b []byte) ([]byte, error) { return c.Pop(ctx, b[:0]) })
			}, err
		}})
}

// thereAndBack is a round trip over whatever send and receive are; receive may use the buffer it is given or return another.
func thereAndBack(side bench.Side, msg []byte, n int, send func([]byte) error, receive func([]byte) ([]byte, error)) {
	for i := range n {
		if side == bench.ProducerSide {
			binary.LittleEndian.PutUint64(msg, uint64(i))
			must(send(msg))
		}
		b, err := receive(msg)
		must(err)
		verify(binary.LittleEndian.Uint64(b), i)
		if side == bench.ConsumerSide {
			must(send(b))
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func verify(got uint64, want int) {
	if got != uint64(want) {
		panic(fmt.Sprintf("message %d carries %d", want, got))
	}
}
