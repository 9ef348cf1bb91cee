// Ticks moves market ticks, a struct of fixed size, from one process to another: it
// starts itself a second time as the consumer. Batches in, a plain loop out.
//
//	go run ./examples/ticks -n 1000000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

// Tick is what lies in the ring: numbers and arrays, no pointers, the same in both processes.
type Tick struct {
	Seq    uint64
	Time   int64   // Unix time, ns
	Symbol [8]byte // padded with zeros
	Price  int64   // hundredths
	Volume uint32
	Side   uint8 // 'B' or 'S'
}

func main() {
	n := flag.Int("n", 1_000_000, "how many ticks")
	role := flag.String("role", "producer", "producer, or consumer, which the producer starts")
	path := flag.String("ring", "", "path of the ring, for the consumer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case flag.NArg() > 0 || *n < 0:
		fmt.Fprintln(os.Stderr, "ticks: -n must not be negative, and there are no arguments")
		os.Exit(2)
	case *role == "producer":
		err = produce(ctx, *n)
	case *role == "consumer":
		err = consume(ctx, *path)
	default:
		fmt.Fprintln(os.Stderr, "ticks: -role must be producer or consumer")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ticks, %s: %v\n", *role, err)
		os.Exit(1)
	}
}

func produce(ctx context.Context, n int) error {
	spec, err := ring.Spec[Tick](layout.SPSC, 8192)
	if err != nil {
		return err
	}
	path := shm.Path(fmt.Sprintf("ringway-ticks-%d", os.Getpid()))
	seg, err := shm.Create(path, spec, 0o600)
	if err != nil {
		return err
	}
	defer seg.Close()
	defer shm.Remove(path)
	p, err := ring.NewProducer[Tick](seg, nil)
	if err != nil {
		return err
	}
	defer p.Close()

	consumer := exec.Command(os.Args[0], "-role", "consumer", "-ring", path)
	consumer.Stdout, consumer.Stderr = os.Stdout, os.Stderr
	if _, err := consumer.StdinPipe(); err != nil { // it ends when we do, see consume
		return err
	}
	if err := consumer.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := consumer.Wait()
		ended <- err
		cancel(fmt.Errorf("the consumer is gone: %v", err)) // nobody makes room any more
	}()

	start := time.Now()
	batch := make([]Tick, 256)
	price := int64(10_000)
	for seq := 0; seq < n; {
		batch := batch[:min(len(batch), n-seq)]
		for i := range batch {
			price += rand.Int64N(3) - 1
			batch[i] = Tick{Seq: uint64(seq), Time: time.Now().UnixNano(), Symbol: [8]byte{'R', 'I', 'N', 'G'},
				Price: price, Volume: 1 + rand.Uint32N(100), Side: "BS"[seq%2]}
			seq++
		}
		// All of the batch, or an error: it waits while the ring is full.
		if _, err := p.PushN(ctx, batch); err != nil {
			return err
		}
	}
	// No more will come: the consumer drains the ring and its loop ends.
	if err := seg.Shutdown(); err != nil {
		return err
	}
	err = <-ended
	fmt.Printf("producer (pid %d): %d ticks of %d bytes in %v\n", os.Getpid(), n, spec.Elem.Size, time.Since(start).Round(time.Millisecond))
	return err
}

func consume(ctx context.Context, path string) error {
	seg, err := shm.Open(path)
	if err != nil {
		return err
	}
	defer seg.Close()
	c, err := ring.NewConsumer[Tick](seg, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the producer's process does
		cancel(errors.New("the producer is gone"))
	}()

	var ticks, volume uint64
	var value int64
	for t, err := range c.All(ctx) {
		if err != nil {
			return err
		}
		if t.Seq != ticks {
			return fmt.Errorf("tick %d came where %d was due", t.Seq, ticks)
		}
		ticks++
		volume += uint64(t.Volume)
		value += t.Price * int64(t.Volume)
	}
	mean := 0.0
	if volume > 0 {
		mean = float64(value) / float64(volume) / 100
	}
	fmt.Printf("consumer (pid %d): %d ticks in order, volume %d, mean price %.2f\n", os.Getpid(), ticks, volume, mean)
	return nil
}
