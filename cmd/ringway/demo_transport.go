package main

import (
	"context"
	"errors"
	"io"
	"os"

	"ringway/internal/telemetry"
	"ringway/ring"
	"ringway/shm"
)

// demoSink moves records out of the producer process. What it is given may change
// once it returned.
type demoSink interface {
	send(s *telemetry.Sample) error
	sendRun(run []telemetry.Sample) error
	Close() error
}

// demoSource takes records into the consumer process. What it returns is valid until
// the next call; receiveRun waits for one record and returns as many as are there, up to
// demoBatch.
type demoSource interface {
	receive() (*telemetry.Sample, error)
	receiveRun() ([]telemetry.Sample, error)
	Close() error
}

// ringSender pushes records one by one or in batches.
type ringSender struct {
	segment  *shm.Segment
	producer *ring.Producer[telemetry.Sample]
}

func newRingSender(path string) (demoSink, error) {
	seg, err := shm.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := ring.NewProducer[telemetry.Sample](seg, &ring.Options{Name: "demo producer"})
	if err != nil {
		return nil, errors.Join(err, seg.Close())
	}
	return &ringSender{seg, p}, nil
}

func (r *ringSender) send(s *telemetry.Sample) error {
	return r.producer.Push(context.Background(), *s)
}

func (r *ringSender) sendRun(run []telemetry.Sample) error {
	_, err := r.producer.PushN(context.Background(), run)
	return err
}

func (r *ringSender) Close() error { return errors.Join(r.producer.Close(), r.segment.Close()) }

// ringReceiver pops records one by one or in batches.
type ringReceiver struct {
	segment  *shm.Segment
	consumer *ring.Consumer[telemetry.Sample]
	one      telemetry.Sample
	run      [demoBatch]telemetry.Sample
}

func newRingReceiver(path string) (demoSource, error) {
	seg, err := shm.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := ring.NewConsumer[telemetry.Sample](seg, &ring.Options{Name: "demo consumer"})
	if err != nil {
		return nil, errors.Join(err, seg.Close())
	}
	return &ringReceiver{segment: seg, consumer: c}, nil
}

func (r *ringReceiver) receive() (*telemetry.Sample, error) {
	var err error
	r.one, err = r.consumer.Pop(context.Background())
	return &r.one, err
}

func (r *ringReceiver) receiveRun() ([]telemetry.Sample, error) {
	n, err := r.consumer.PopN(context.Background(), r.run[:])
	return r.run[:n], err
}

func (r *ringReceiver) Close() error { return errors.Join(r.consumer.Close(), r.segment.Close()) }

// streamSender writes records into a pipe or socket, one write(2) per record or batch. The
// descriptor is a blocking one: that is the fastest way Go has to use it.
type streamSender struct{ f *os.File }

func (w streamSender) send(s *telemetry.Sample) error {
	_, err := w.f.Write(s.Bytes())
	return err
}

func (w streamSender) sendRun(run []telemetry.Sample) error {
	_, err := w.f.Write(telemetry.Bytes(run))
	return err
}

func (w streamSender) Close() error { return w.f.Close() }

// streamReceiver reads records from a pipe or socket.
type streamReceiver struct {
	f   *os.File
	one telemetry.Sample
	run [demoBatch]telemetry.Sample
}

func (r *streamReceiver) receive() (*telemetry.Sample, error) {
	_, err := io.ReadFull(r.f, r.one.Bytes())
	return &r.one, err
}

// receiveRun takes what one read(2) returns, and the rest of the last record if that
// was cut.
func (r *streamReceiver) receiveRun() ([]telemetry.Sample, error) {
	b := telemetry.Bytes(r.run[:])
	n, err := r.f.Read(b)
	if err != nil {
		return nil, err
	}
	if cut := n % telemetry.Size; cut != 0 {
		rest := telemetry.Size - cut
		if _, err := io.ReadFull(r.f, b[n:n+rest]); err != nil {
			return nil, err
		}
		n += rest
	}
	return r.run[:n/telemetry.Size], nil
}

func (r *streamReceiver) Close() error { return r.f.Close() }
