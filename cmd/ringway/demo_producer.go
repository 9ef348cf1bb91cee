package main

import (
	"time"

	"ringway/internal/telemetry"
)

// demoProducer samples and sends, one phase after the other.
type demoProducer struct {
	sampler *telemetry.Sampler
	out     demoSink
	seq     uint64 // of the next record, over all phases
	run     [demoBatch]telemetry.Sample
}

func (p *demoProducer) phase(o demoOrder) (produced, error) {
	var done produced
	var err error
	if o.Phase != paced {
		if done.Alone, err = p.alone(); err != nil {
			return done, err
		}
	}
	if err := p.sampler.ResetOldest(); err != nil {
		return done, err
	}
	first, reads := p.seq, p.sampler.Reads()
	end := telemetry.Now() + uint64(o.For)
	switch o.Phase {
	case paced:
		err = p.paced(o.Rate, end, &done)
	case batched:
		err = p.batched(end, &done)
	default:
		err = p.single(end, &done)
	}
	if err != nil {
		return done, err
	}
	mark, err := p.sampler.Take(p.seq | endMark)
	if err != nil {
		return done, err
	}
	if err := p.out.send(mark); err != nil {
		return done, err
	}
	done.Records = p.seq - first
	done.Reads = p.sampler.Reads() - reads
	done.Oldest = uint64(p.sampler.Oldest())
	return done, nil
}

// paced sends a record when it is due, or at once if that has passed. Dues are
// fixed at the start, so time lost once is not handed on.
func (p *demoProducer) paced(rate, end uint64, done *produced) error {
	const second = 1e9
	start, period := telemetry.Now(), second/rate
	for i := uint64(0); ; i++ {
		due := start + i/rate*second + i%rate*second/rate
		if due >= end {
			return nil
		}
		if err := p.sampler.Pace(due); err != nil {
			return err
		}
		s, err := p.sampler.Take(p.seq)
		if err != nil {
			return err
		}
		if s.Captured >= end {
			return nil // hopelessly behind
		}
		if s.Captured > due+period {
			done.Late++
		}
		done.Digest.Add(s)
		if err := p.out.send(s); err != nil {
			return err
		}
		p.seq++
	}
}

// aloneFor is how long alone takes.
const aloneFor = uint64(5 * time.Millisecond)

// alone measures how fast records come if nobody takes them: no transport can be faster.
func (p *demoProducer) alone() (perSecond float64, err error) {
	var digest telemetry.Digest
	start := telemetry.Now()
	for n := uint64(0); ; n++ {
		s, err := p.sampler.Take(n)
		if err != nil {
			return 0, err
		}
		digest.Add(s)
		p.run[n%demoBatch] = *s
		if took := s.Captured - start; took >= aloneFor {
			return float64(n) / (float64(took) / 1e9), nil
		}
	}
}

func (p *demoProducer) single(end uint64, done *produced) error {
	for {
		s, err := p.sampler.Take(p.seq)
		if err != nil {
			return err
		}
		if s.Captured >= end {
			return nil
		}
		done.Digest.Add(s)
		if err := p.out.send(s); err != nil {
			return err
		}
		p.seq++
	}
}

func (p *demoProducer) batched(end uint64, done *produced) error {
	for over := false; !over; {
		n := 0
		for n < len(p.run) {
			s, err := p.sampler.Take(p.seq)
			if err != nil {
				return err
			}
			if over = s.Captured >= end; over {
				break
			}
			done.Digest.Add(s)
			p.run[n] = *s
			n++
			p.seq++
		}
		if n == 0 {
			return nil
		}
		if err := p.out.sendRun(p.run[:n]); err != nil {
			return err
		}
	}
	return nil
}
