package main

import (
	"errors"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func recvCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "recv NAME",
		Short: "A ring to standard output",
		Long: `Recv takes messages out of a ring and writes them to standard output.

By default each message becomes a line. With --frames its length comes before it, 4 bytes
little-endian. With --raw there is nothing in between: what send --raw read comes out
byte by byte the same. A ring of fixed elements gives one message per element.

Recv ends when the ring was shut down and is drained, after --count messages, or at
SIGINT or SIGTERM, all with status 0. A message leaves the ring only after it was
written, so none is lost when recv is killed or its output fails; those in hand, a
few at most, are then delivered again.`,
		Example: `  ringway recv log
  ringway recv backup --raw | tar x
  ringway recv ticks --wait --count 1`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	v := &recvVerb{attachFlags: addAttachFlags(c)}
	c.Flags().Int64Var(&v.count, "count", 0, "end after `N` messages (default: no limit)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.Flags().Changed("count") && v.count < 1 {
			return usagef("--count must be 1 or more, not %d", v.count)
		}
		return v.run(args[0])
	}
	return c
}

type recvVerb struct {
	*attachFlags
	count int64 // 0: no limit
}

func (v *recvVerb) run(name string) (err error) {
	path, err := ringPath(name)
	if err != nil {
		return err
	}
	mode, err := v.framing()
	if err != nil {
		return err
	}
	if nowhere(1) {
		return errors.New("standard output is closed, or is /dev/null opened for reading as well, which cannot be told apart; open it, or write > /dev/null if the messages are to go nowhere")
	}
	stop, err := newStopper("recv", "stopped, but standard output takes nothing; the messages in hand were not released and come again")
	if err != nil {
		return err
	}
	s, err := v.open(path, stop)
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	defer named(path, &err)
	defer closing(s, &err)
	defer shm.Guard(&err)()
	return v.recv(s, mode, stop)
}

func (v *recvVerb) recv(s *shm.Segment, mode framing, stop *stopper) (err error) {
	newConsumer := ring.NewMsgConsumer
	if s.Spec().Payload == layout.Fixed {
		newConsumer = ring.NewRawConsumer
	}
	c, err := newConsumer(s, v.options())
	if err != nil {
		return err
	}
	defer func() {
		if e := c.Close(); err == nil {
			err = e
		}
	}()
	in := &recvStream{MsgConsumer: c, mode: mode, alone: s.Spec().Kind == layout.MPMC, limit: v.count, ahead: aheadIn(s), patience: v.patience(stop)}
	progressEnd := func() {}
	if mode == raw && !isTerminal(1) {
		in.out = newOutlet(1)
		progressEnd = showProgress(&in.tally)
		defer progressEnd() // also when the ring's memory is gone
	}
	if err = in.run(); errors.Is(err, errStopped) {
		err = nil
	}
	progressEnd()
	in.summary("received", v.verbose)
	return gone(s, err)
}
