package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"ringway/internal/child"
	"ringway/internal/telemetry"
)

// dataFD is where a peer finds its end of the pipe or socket.
const dataFD = 3

// demoPeerCmd is what the demo starts: one side of one transport.
func demoPeerCmd() *cobra.Command {
	var via, path string
	cpu := -1
	c := &cobra.Command{
		Use:    "peer producer|consumer",
		Short:  "one side of the demo, which starts it itself",
		Args:   exactly("ROLE"),
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			// Ctrl-C reaches every process of the terminal; ours ends with its parent.
			signal.Ignore(os.Interrupt)
			p := demoPeer{role: args[0], via: via, path: path, cpu: cpu, wire: newDemoWire(os.Stdin, os.Stdout)}
			err := p.serve()
			if err == nil {
				return nil
			}
			_ = p.wire.send(demoReport{Error: oneLine(err)}) // a parent that is gone needs no words
			return demoExit{status: exitFailed}
		},
	}
	c.Flags().StringVar(&via, "via", "", "ring or stream")
	c.Flags().StringVar(&path, "path", "", "of the ring")
	c.Flags().IntVar(&cpu, "cpu", -1, "to stay on")
	return c
}

// demoPeer is one side of one transport, in a process of its own.
type demoPeer struct {
	role, via, path string
	cpu             int
	wire            *demoWire
}

func (p *demoPeer) serve() error {
	orders := make(chan demoOrder)
	go p.listen(orders)
	var work func(demoOrder) (demoReport, error)
	var closeAll func() error
	var err error
	switch p.role {
	case "producer":
		work, closeAll, err = p.openProducer()
	case "consumer":
		work, closeAll, err = p.openConsumer()
	default:
		return fmt.Errorf("the demo starts this itself; run ringway demo")
	}
	if err != nil {
		return err
	}
	// After opening: an end that finds itself on one CPU alone would never poll, but here
	// the other side has a CPU of its own.
	if p.cpu >= 0 {
		if err := child.Pin(p.cpu); err != nil {
			return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "child: "))
		}
	}
	if err := p.wire.send(demoReport{Ready: true}); err != nil {
		return err
	}
	for o := range orders {
		runtime.GC() // now rather than in the middle of a phase
		r, err := work(o)
		if err != nil {
			return err
		}
		if err := p.wire.send(r); err != nil {
			return err
		}
	}
	return closeAll()
}

// listen passes orders on until one without a phase says that it was the last.
func (p *demoPeer) listen(orders chan<- demoOrder) {
	for {
		var o demoOrder
		if p.wire.receive(&o) != nil {
			os.Exit(exitFailed) // the parent is gone, and the work may be blocked for good
		}
		if o.Phase == "" {
			close(orders)
			return
		}
		orders <- o
	}
}

func (p *demoPeer) openProducer() (func(demoOrder) (demoReport, error), func() error, error) {
	sampler, err := telemetry.Open()
	if err != nil {
		return nil, nil, err
	}
	var out demoSink = streamSender{os.NewFile(dataFD, p.via)}
	if p.via == "ring" {
		if out, err = newRingSender(p.path); err != nil {
			return nil, nil, err
		}
	}
	producer := &demoProducer{sampler: sampler, out: out}
	return func(o demoOrder) (demoReport, error) {
		before := preemptions()
		done, err := producer.phase(o)
		done.Preempted = preemptions() - before
		return demoReport{Produced: &done}, err
	}, out.Close, nil
}

func (p *demoPeer) openConsumer() (func(demoOrder) (demoReport, error), func() error, error) {
	var in demoSource = &streamReceiver{f: os.NewFile(dataFD, p.via)}
	if p.via == "ring" {
		var err error
		if in, err = newRingReceiver(p.path); err != nil {
			return nil, nil, err
		}
	}
	consumer := newDemoConsumer(in, func(r demoReport) error { return p.wire.send(r) })
	return func(o demoOrder) (demoReport, error) {
		before := preemptions()
		done, err := consumer.phase(o)
		done.Preempted = preemptions() - before
		return demoReport{Consumed: &done}, err
	}, in.Close, nil
}
