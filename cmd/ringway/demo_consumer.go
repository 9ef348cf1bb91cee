package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ringway/internal/telemetry"
)

// demoConsumer receives, checks every record, and measures.
type demoConsumer struct {
	in     demoSource
	want   uint64 // number of the next record, over all phases
	done   consumed
	report chan interval            // to the reporter
	spare  chan *hdr                // back from it, emptied
	total  chan *hdrResult          // its answer to the last interval of a phase
	say    func(r demoReport) error // to the parent
}

type hdr = hdrhistogram.Histogram

// Latencies from 1 ns to a minute, to three digits.
const (
	hdrLowest  = 1
	hdrHighest = int64(time.Minute)
	hdrDigits  = 3
)

// interval is what the loop hands to the reporter: percentiles take it longer than
// the loop may stand still.
type interval struct {
	progress demoProgress
	counts   *hdr // nil when latency is not measured
	last     bool
}

type hdrResult struct{ latency *latency }

// handOver is how often the loop hands over.
const handOver = uint64(200 * time.Millisecond)

func newDemoConsumer(in demoSource, say func(demoReport) error) *demoConsumer {
	c := &demoConsumer{in: in, report: make(chan interval, 4), spare: make(chan *hdr, 2), total: make(chan *hdrResult), say: say}
	c.spare <- newHdr()
	c.spare <- newHdr()
	go c.reporter()
	return c
}

func newHdr() *hdr { return hdrhistogram.New(hdrLowest, hdrHighest, hdrDigits) }

func (c *demoConsumer) phase(o demoOrder) (consumed, error) {
	c.done = consumed{}
	var err error
	switch o.Phase {
	case paced:
		err = c.paced()
	case batched:
		err = c.batched()
	default:
		err = c.single()
	}
	return c.done, err
}

// paced measures each record the moment it is there, before it is checked.
func (c *demoConsumer) paced() error {
	counts := <-c.spare
	next, first := telemetry.Now()+handOver, uint64(0)
	for {
		s, err := c.in.receive()
		now := telemetry.Now()
		if err != nil {
			return err
		}
		if c.done.Records == 0 {
			first = s.Captured
		}
		if !c.check(s) {
			c.report <- interval{c.progressAt(now), counts, true}
			c.done.Latency = (<-c.total).latency
			c.done.Elapsed = now - first
			return nil
		}
		_ = counts.RecordValue(min(max(int64(now-s.Captured), 0), hdrHighest)) // always in range
		if now >= next {
			select {
			case spare := <-c.spare:
				c.report <- interval{c.progressAt(now), counts, false}
				counts = spare
			default: // the reporter is late; this interval becomes longer
			}
			next = now + handOver
		}
	}
}

// lookEvery is how many records flat out pass between two looks at the clock.
const lookEvery = 256

func (c *demoConsumer) single() error {
	next, first := telemetry.Now()+handOver, uint64(0)
	for {
		s, err := c.in.receive()
		if err != nil {
			return err
		}
		if c.done.Records == 0 {
			first = s.Captured
		}
		if !c.check(s) {
			return c.finish(first)
		}
		if c.done.Records%lookEvery == 0 {
			next = c.look(next)
		}
	}
}

func (c *demoConsumer) batched() error {
	next, first := telemetry.Now()+handOver, uint64(0)
	for looked := uint64(0); ; {
		run, err := c.in.receiveRun()
		if err != nil {
			return err
		}
		for i := range run {
			if c.done.Records == 0 {
				first = run[i].Captured
			}
			if !c.check(&run[i]) {
				return c.finish(first)
			}
		}
		if c.done.Records-looked >= lookEvery {
			next, looked = c.look(next), c.done.Records
		}
	}
}

// look hands progress over if it is time, and returns when it will be next.
func (c *demoConsumer) look(next uint64) uint64 {
	now := telemetry.Now()
	if now < next {
		return next
	}
	select {
	case c.report <- interval{progress: c.progressAt(now)}:
	default:
	}
	return now + handOver
}

func (c *demoConsumer) finish(first uint64) error {
	now := telemetry.Now()
	c.done.Elapsed = now - first
	c.report <- interval{progress: c.progressAt(now), last: true}
	<-c.total
	return nil
}

func (c *demoConsumer) progressAt(now uint64) demoProgress {
	return demoProgress{Records: c.done.Records, At: now}
}

// check counts a record and what is wrong with it. It returns false at the end of the
// phase, whose mark must carry the number of the next record.
func (c *demoConsumer) check(s *telemetry.Sample) bool {
	if !s.Intact() {
		c.done.Damaged++
		c.fault("record %d: its contents do not fit its checksum", c.want)
	}
	seq := s.Seq &^ endMark
	if seq != c.want {
		c.done.Misplaced++
		c.fault("record %d came where %d was due", seq, c.want)
		c.want = seq
	}
	if s.Seq&endMark != 0 {
		return false
	}
	c.want++
	c.done.Records++
	c.done.Digest.Add(s)
	return true
}

func (c *demoConsumer) fault(format string, args ...any) {
	if c.done.FirstFault == "" {
		c.done.FirstFault = fmt.Sprintf(format, args...)
	}
}

// reporter adds intervals up and tells the parent, until the process ends.
func (c *demoConsumer) reporter() {
	sum := newHdr()
	for i := range c.report {
		if i.counts != nil {
			sum.Merge(i.counts)
			i.counts.Reset()
			c.spare <- i.counts
			i.progress.Latency = percentiles(sum)
		}
		if i.last {
			c.total <- &hdrResult{i.progress.Latency}
			sum.Reset()
			continue
		}
		_ = c.say(demoReport{Progress: &i.progress}) // a parent that is gone ends us anyway
	}
}

func percentiles(h *hdr) *latency {
	v := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9})
	return &latency{v[0], v[1], v[2], v[3], h.Max()}
}
