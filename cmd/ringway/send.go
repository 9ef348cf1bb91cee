package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func sendCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "send NAME",
		Short: "Standard input into a ring",
		Long: `Send reads standard input and sends it into a ring, waiting whenever the ring is full.

By default each line is a message, without its newline. With --frames each message
follows its length, 4 bytes little-endian. With --raw the input is a stream of bytes
that is cut as it comes, into chunks of at most --chunk, which recv --raw puts
together again. On a ring of fixed elements every message must have exactly the
size of an element; --raw then cuts the input into elements.

Send ends at the end of its input or, with status 0, at SIGINT or SIGTERM: what was
sent by then stays in the ring. What was read and not sent goes back where it came
from if that is a file; otherwise a note says how much it was.

With --create the ring is made first if there is none; one that exists must be as
the flags say.`,
		Example: `  journalctl -f | ringway send log --create --cap 4MiB
  tar c src | ringway send backup --raw --shutdown-at-eof
  ringway send ticks --wait --name feed < ticks.txt`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	v := &sendVerb{attachFlags: addAttachFlags(c)}
	c.Flags().StringVar(&v.chunkText, "chunk", "", "with --raw, the most a message carries, `SIZE` (default 64KiB or half of the ring)")
	c.Flags().BoolVar(&v.create, "create", false, "make the ring if there is none")
	c.Flags().BoolVar(&v.shutdown, "shutdown-at-eof", false, "shut the ring down at the end of the input")
	v.spec = addSpecFlags(c)
	c.RunE = func(_ *cobra.Command, args []string) error { return v.run(args[0]) }
	return c
}

type sendVerb struct {
	*attachFlags
	spec      *specFlags
	chunkText string
	chunk     int // 0: the default
	create    bool
	shutdown  bool
}

func (v *sendVerb) run(name string) (err error) {
	path, err := ringPath(name)
	if err != nil {
		return err
	}
	mode, err := v.framing()
	if err != nil {
		return err
	}
	if err := v.contradictions(); err != nil {
		return err
	}
	if nowhere(0) {
		return errors.New("standard input is closed, or is /dev/null opened for writing as well, which cannot be told apart; open it, or write < /dev/null if there is nothing to send")
	}
	stop, err := newStopper("send", "stopped before it could finish; the message in hand was not sent")
	if err != nil {
		return err
	}
	s, err := v.openOrCreate(path, stop)
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	defer named(path, &err)
	defer closing(s, &err)
	defer shm.Guard(&err)()
	return v.send(s, mode, stop)
}

// contradictions refuses flags that do not go together.
func (v *sendVerb) contradictions() (err error) {
	if v.chunkText != "" {
		if !v.raw {
			return usagef("--chunk needs --raw; other modes do not cut messages")
		}
		if v.chunk, err = parseSize("chunk", v.chunkText); err != nil {
			return err
		}
	}
	if flag := v.spec.given(); flag != "" && !v.create {
		return usagef("--%s says what a new ring is; it needs --create", flag)
	}
	if v.create && v.wait {
		return usagef("--create and --wait exclude each other")
	}
	return nil
}

func (v *sendVerb) openOrCreate(path string, stop *stopper) (*shm.Segment, error) {
	if !v.create {
		return v.open(path, stop)
	}
	spec, err := v.spec.spec()
	if err != nil {
		return nil, err
	}
	perm, err := v.spec.mode()
	if err != nil {
		return nil, err
	}
	o := v.memory()
	o.HugePages = v.spec.huge
	return shm.OpenOrCreateWith(path, spec, perm, o)
}

func (v *sendVerb) send(s *shm.Segment, mode framing, stop *stopper) (err error) {
	newProducer := ring.NewMsgProducer
	if s.Spec().Payload == layout.Fixed {
		newProducer = ring.NewRawProducer
	}
	p, err := newProducer(s, v.options())
	if err != nil {
		return err
	}
	defer func() {
		if e := p.Close(); err == nil {
			err = e
		}
	}()
	out := &sendStream{MsgProducer: p, segment: s, in: newInput(stop), patience: v.patience(stop)}
	if s.Spec().Payload == layout.Fixed {
		out.elem = p.MaxLen()
	}
	if err := out.cut(v.chunk, v.chunkText); err != nil {
		return err
	}
	progressEnd := func() {}
	if mode == raw && !isTerminal(0) {
		out.in.size = widen(0)
		progressEnd = showProgress(&out.tally)
		defer progressEnd() // also when the ring's memory is gone
	}
	err = out.run(mode)
	progressEnd()
	left := out.in.giveBack()
	if errors.Is(err, errStopped) {
		if err = nil; left > 0 {
			fmt.Fprintf(os.Stderr, "ringway send: stopped with %s read and not sent\n", counted(left, "byte"))
		}
	} else if err == nil && v.shutdown {
		err = endRing(s)
	}
	out.summary("sent", v.verbose)
	return gone(s, err)
}
