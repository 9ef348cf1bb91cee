// Probe instantiates every busy path of package ring, so that the codegen test has
// machine code to look at. It is built, never run.
package main

import (
	"os"

	"ringway/ring"
)

type (
	quote [3]uint64
	line  [8]uint64
	page  [512]uint64
)

func main() {
	if len(os.Args) > 1<<30 {
		typed[uint32]()
		typed[uint64]()
		typed[quote]()
		typed[line]()
		typed[page]()
		messages()
	}
}

//go:noinline
func typed[T any]() {
	var (
		p *ring.Producer[T]
		c *ring.Consumer[T]
		v T
	)
	keep(p.TryPush(v))
	n, err := p.TryPushN(make([]T, 1))
	keep(err, n)
	s, err := p.Reserve()
	keep(err, s, p.Commit())
	v, err = c.TryPop()
	keep(err, v)
	n, err = c.TryPopN(make([]T, 1))
	keep(err, n)
	s, err = c.Peek()
	keep(err, s)
	c.Release()
}

//go:noinline
func messages() {
	var (
		p *ring.MsgProducer
		c *ring.MsgConsumer
	)
	keep(p.TryPush(nil))
	b, err := p.Reserve(1)
	keep(err, b, p.Commit(1))
	b, err = c.TryPop(nil)
	keep(err, b)
	b, err = c.Peek()
	keep(err, b)
	c.Release()
}

//go:noinline
func keep(...any) {}
