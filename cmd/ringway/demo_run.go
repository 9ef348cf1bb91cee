package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"ringway/bench"
	"ringway/internal/telemetry"
	"ringway/ring"
	"ringway/shm"
)

// demoRun is one run of the demo, in the parent.
type demoRun struct {
	options demoOptions
	out     io.Writer
	live    *demoLive
	events  chan demoEvent
}

// newDemoRun prints to standard output; fail is told when that is closed.
func newDemoRun(o demoOptions, fail context.CancelCauseFunc) *demoRun {
	d := &demoRun{options: o, out: &watchedWriter{w: os.Stdout, fail: fail}, events: make(chan demoEvent)}
	d.live = newDemoLive(d.out, o)
	return d
}

// watchedWriter ends the run when nobody reads what it prints.
type watchedWriter struct {
	w    io.Writer
	fail context.CancelCauseFunc
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		w.fail(outputError(err))
	}
	return n, err
}

// demoTransports in the order of their turn. The ring gets all of --for.
var demoTransports = []struct {
	name string
	part time.Duration
}{{"ring", 1}, {"pipe", 3}, {"unix socket", 3}}

func (d *demoRun) all(ctx context.Context) (demoResult, error) {
	o := d.options
	result := demoResult{Machine: bench.Machine(), For: o.spell, Rate: o.rate, RecordBytes: telemetry.Size,
		Batch: demoBatch, Slots: o.slots, Verified: true}
	removeStaleDemos(shm.Dir)
	total := time.Duration(0)
	for _, t := range demoTransports {
		total += o.spell / t.part
	}
	d.live.say("ringway demo: counters of this machine from /proc, from one process to another,\n"+
		"in records of %d bytes\n%s\nabout %v in all: the ring %v, a pipe and a Unix socket %v each\n",
		telemetry.Size, result.Machine, total.Round(10*time.Millisecond), o.spell, (o.spell / 3).Round(time.Millisecond))
	for _, t := range demoTransports {
		var r transportResult
		var err error
		if t.name == "ring" {
			r, err = d.overRing(ctx, &result)
		} else {
			r, err = d.overStream(ctx, t.name, o.spell/t.part)
		}
		if err != nil {
			return result, err
		}
		result.Transports = append(result.Transports, r)
		for _, p := range r.Phases {
			result.Verified = result.Verified && p.Verified
		}
	}
	return result, nil
}

func (d *demoRun) overRing(ctx context.Context, result *demoResult) (r transportResult, err error) {
	spec, err := d.options.spec()
	if err != nil {
		return r, err
	}
	name := demoRingName(os.Getpid())
	path := shm.Path(name)
	seg, err := shm.Create(path, spec, 0o600)
	if err != nil {
		return r, err
	}
	defer func() {
		if e := shm.Remove(path); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
		err = errors.Join(err, seg.Close())
	}()
	if err := lockDemo(seg.File()); err != nil {
		return r, err
	}
	result.Path = path
	bytes := d.options.slots * telemetry.Size
	d.live.say("\nring %s: %d slots, %s; to look at it meanwhile:\n  ringway stat --watch 1s %s\n",
		path, spec.Cap, exactSize(bytes), name)
	r, err = d.over(ctx, "ring", path, d.options.spell, bytes, nil, nil)
	if err != nil {
		return r, err
	}
	return r, seg.Shutdown()
}

// ringStats returns a ring's counts, zeros for what is no ring.
func ringStats(path string) (ring.Stats, error) {
	if path == "" {
		return ring.Stats{}, nil
	}
	info, err := ring.Inspect(path)
	return info.Stats, err
}

func (d *demoRun) overStream(ctx context.Context, name string, spell time.Duration) (transportResult, error) {
	from, to, room, err := streamPair(name, d.options.slots*telemetry.Size)
	if from != nil {
		defer from.Close()
		defer to.Close()
	}
	if err != nil {
		return transportResult{}, err
	}
	d.live.say("\n%s: %s of buffer in the kernel\n", name, exactSize(room))
	return d.over(ctx, name, "", spell, room, from, to)
}

// over runs every phase between two new processes.
func (d *demoRun) over(ctx context.Context, name, path string, spell time.Duration, room int, from, to *os.File) (transportResult, error) {
	r := transportResult{Name: name, BufferBytes: room}
	consumer, err := startPeer("consumer", path, d.options.cpus[1], from, d.events)
	if err != nil {
		return r, err
	}
	defer consumer.kill()
	producer, err := startPeer("producer", path, d.options.cpus[0], to, d.events)
	if err != nil {
		return r, err
	}
	defer producer.kill()
	if from != nil {
		from.Close() // the peers have their own; who outlives the other must notice
		to.Close()
	}
	l := &demoLink{demoRun: d, producer: producer, consumer: consumer}
	r.ProducerPID, r.ConsumerPID = producer.pid(), consumer.pid()
	if err := l.ready(ctx); err != nil {
		return r, err
	}
	d.live.say("producer pid %d, consumer pid %d\n", r.ProducerPID, r.ConsumerPID)
	for _, p := range demoPhases {
		length := spell * p.tenths / 10
		d.live.begin(name, p.phase, path)
		before, err := ringStats(path)
		if err != nil {
			return r, err
		}
		done, err := l.phase(ctx, demoOrder{Phase: p.phase, For: length, Rate: d.options.rate})
		if err != nil {
			d.live.stop()
			return r, err
		}
		after, err := ringStats(path)
		if err != nil {
			return r, err
		}
		done.Parks, done.Wakes, done.Rescues = after.Parks-before.Parks, after.Wakes-before.Wakes, after.Rescues-before.Rescues
		d.live.end(done)
		r.Phases = append(r.Phases, done)
	}
	stop := demoOrder{}
	producer.order(stop)
	consumer.order(stop)
	return r, errors.Join(producer.part(), consumer.part())
}
