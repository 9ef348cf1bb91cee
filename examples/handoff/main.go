// Handoff shares a ring that has no name: its memory is a memfd, which a child
// process inherits as an open file. Nothing to clean up, nothing for others to open,
// and nobody can truncate it. Messages of any length go from parent to child.
//
//	go run ./examples/handoff -n 1000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// ringFD is where the child finds the ring: the first of ExtraFiles.
const ringFD = 3

func main() {
	n := flag.Int("n", 1000, "how many messages")
	child := flag.Bool("child", false, "be the consumer, which the parent starts")
	flag.Parse()
	if flag.NArg() > 0 || *n < 0 {
		fmt.Fprintln(os.Stderr, "handoff: -n must not be negative, and there are no arguments")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	side, run := "parent", func() error { return produce(ctx, *n) }
	if *child {
		side, run = "child", func() error { return consume(ctx) }
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "handoff, %s: %v\n", side, err)
		os.Exit(1)
	}
}

func produce(ctx context.Context, n int) error {
	spec, err := ring.MsgSpec(layout.SPSC, 1<<20, 0)
	if err != nil {
		return err
	}
	seg, err := shm.CreateTemp(spec)
	if err != nil {
		return err
	}
	defer seg.Close()
	p, err := ring.NewMsgProducer(seg, nil)
	if err != nil {
		return err
	}
	defer p.Close()

	cmd := exec.Command(os.Args[0], "-child")
	cmd.ExtraFiles = []*os.File{seg.File()} // the ring, as descriptor 3
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // the child ends when we do, see consume
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		ended <- err
		cancel(fmt.Errorf("the child is gone: %v", err)) // nobody makes room any more
	}()

	sum, bytes := fnv.New64a(), 0
	message := make([]byte, 64<<10)
	for range n {
		m := message[:rand.IntN(len(message)+1)]
		for i := range m {
			m[i] = byte(rand.Uint32())
		}
		if err := p.Push(ctx, m); err != nil {
			return err
		}
		sum.Write(m)
		bytes += len(m)
	}
	// From here on a push fails; what was pushed is delivered.
	if err := seg.Shutdown(); err != nil {
		return err
	}
	err = <-ended
	fmt.Printf("parent (pid %d): %d messages, %d bytes, sum %016x\n", os.Getpid(), n, bytes, sum.Sum64())
	return err
}

func consume(ctx context.Context) error {
	f := os.NewFile(ringFD, "ring")
	seg, err := shm.OpenFile(f)
	if err != nil {
		return err
	}
	defer seg.Close()
	f.Close() // the segment has a descriptor of its own
	c, err := ring.NewMsgConsumer(seg, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the parent does
		cancel(errors.New("the parent is gone"))
	}()

	sum, messages, bytes := fnv.New64a(), 0, 0
	for m, err := range c.All(ctx) {
		if err != nil {
			return err
		}
		sum.Write(m) // m lies in the ring and is valid in this iteration only
		messages++
		bytes += len(m)
	}
	fmt.Printf("child (pid %d): %d messages, %d bytes, sum %016x\n", os.Getpid(), messages, bytes, sum.Sum64())
	return nil
}
