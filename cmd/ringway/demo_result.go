package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
)

// demoResult is all that a demo found out; --json prints it.
type demoResult struct {
	Machine     string            `json:"machine"`
	Verified    bool              `json:"verified"`
	For         time.Duration     `json:"for_ns"`
	Rate        uint64            `json:"rate"`
	RecordBytes int               `json:"record_bytes"`
	Batch       int               `json:"batch"`
	Path        string            `json:"path"`
	Slots       int               `json:"slots"`
	Transports  []transportResult `json:"transports"`
}

type transportResult struct {
	Name        string        `json:"name"`
	BufferBytes int           `json:"buffer_bytes"`
	ProducerPID int           `json:"producer_pid"`
	ConsumerPID int           `json:"consumer_pid"`
	Phases      []phaseResult `json:"phases"`
}

type phaseResult struct {
	Phase            demoPhase     `json:"phase"`
	For              time.Duration `json:"for_ns"`
	Verified         bool          `json:"verified"`
	RecordsPerSecond float64       `json:"records_per_second"`
	BytesPerSecond   float64       `json:"bytes_per_second"`
	Parks            uint64        `json:"parks"` // of a ring; 0 for others
	Wakes            uint64        `json:"wakes"`
	Rescues          uint64        `json:"rescues"` // lost wake-ups that were noticed
	Produced         produced      `json:"produced"`
	Consumed         consumed      `json:"consumed"`
}

// of returns the result of a phase, which is there once all phases ran.
func (t *transportResult) of(p demoPhase) *phaseResult {
	for i := range t.Phases {
		if t.Phases[i].Phase == p {
			return &t.Phases[i]
		}
	}
	return &phaseResult{}
}

// write prints the result. It returns an error if the records did not all arrive.
func (r *demoResult) write(w io.Writer, o demoOptions) error {
	var b bytes.Buffer
	if o.json {
		if err := json.NewEncoder(&b).Encode(r); err != nil {
			return err
		}
	} else {
		r.tables(&b)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return outputError(err)
	}
	if !r.Verified {
		return errors.New("not every record arrived once, in order and intact; this is a bug")
	}
	return nil
}

func (r *demoResult) tables(b *bytes.Buffer) {
	ringResult := &r.Transports[0]
	fmt.Fprintf(b, "\npaced, %s records/s, one per call; latency from capture to use in the other process\n", demoCount(float64(r.Rate)))
	fmt.Fprintf(b, "  %-11s %9s %9s %9s %9s %9s %9s %10s\n", "", "sent/s", "p50", "p90", "p99", "p99.9", "max", "p50:ring")
	for i := range r.Transports {
		t := &r.Transports[i]
		p := t.of(paced)
		if l := p.Consumed.Latency; l != nil {
			fmt.Fprintf(b, "  %-11s %9s %9s %9s %9s %9s %9s %10s\n", t.Name, demoCount(p.RecordsPerSecond), demoTime(l.P50), demoTime(l.P90), demoTime(l.P99),
				demoTime(l.P999), demoTime(l.Max), demoRatio(float64(l.P50), float64(ringResult.of(paced).Consumed.Latency.P50)))
		}
	}
	fmt.Fprintf(b, "\nflat out%-5s%31s %34s\n", "", "one record per call", fmt.Sprintf("%d records per call", r.Batch))
	fmt.Fprintf(b, "  %-11s %11s %11s %7s   %11s %11s %7s\n", "", "records/s", "bytes/s", ":ring", "records/s", "bytes/s", ":ring")
	for i := range r.Transports {
		t := &r.Transports[i]
		s, m := t.of(single), t.of(batched)
		fmt.Fprintf(b, "  %-11s %11s %11s %7s   %11s %11s %7s\n", t.Name,
			demoCount(s.RecordsPerSecond), roughSize(uint64(s.BytesPerSecond)), demoRatio(s.RecordsPerSecond, ringResult.of(single).RecordsPerSecond),
			demoCount(m.RecordsPerSecond), roughSize(uint64(m.BytesPerSecond)), demoRatio(m.RecordsPerSecond, ringResult.of(batched).RecordsPerSecond))
	}
	fmt.Fprintf(b, "  %-11s %11s   at best: the producer's own work, handing records to nobody\n", "(no one)", demoCount(r.alone()))
	b.WriteByte('\n')
	r.verdict(b)
	r.notes(b)
}

// alone is how fast the producer is without a transport, the best of all tries.
func (r *demoResult) alone() (best float64) {
	for _, t := range r.Transports {
		for _, p := range t.Phases {
			best = max(best, p.Produced.Alone)
		}
	}
	return best
}

// verdict compares what was produced with what was consumed.
func (r *demoResult) verdict(b *bytes.Buffer) {
	var in, out uint64
	for _, t := range r.Transports {
		for _, p := range t.Phases {
			in, out = in+p.Produced.Records, out+p.Consumed.Records
			if !p.Verified {
				fmt.Fprintf(b, "NOT VERIFIED: %s, %s: %d produced, %d consumed, %d misplaced, %d damaged: %s\n", t.Name, phaseName(p.Phase),
					p.Produced.Records, p.Consumed.Records, p.Consumed.Misplaced, p.Consumed.Damaged, p.Consumed.FirstFault)
			}
		}
	}
	if r.Verified {
		fmt.Fprintf(b, "verified: %s records produced, %s consumed, each once, in order, contents intact\n", humanize.Comma(int64(in)), humanize.Comma(int64(out)))
	}
}

// notes says what a reader needs to judge the numbers.
func (r *demoResult) notes(b *bytes.Buffer) {
	var reads, oldest, rescues uint64
	late, preempted, parked := "", "", ""
	for i := range r.Transports {
		t := &r.Transports[i]
		p := t.of(paced)
		reads, oldest = reads+p.Produced.Reads, max(oldest, p.Produced.Oldest)
		late += fmt.Sprintf(", %s %.2f%%", t.Name, 100*float64(p.Produced.Late)/float64(max(p.Produced.Records, 1)))
		preempted += fmt.Sprintf(", %s %s", t.Name, humanize.Comma(int64(p.Produced.Preempted+p.Consumed.Preempted)))
	}
	for _, p := range r.Transports[0].Phases {
		parked += fmt.Sprintf(", %s %s", phaseName(p.Phase), humanize.Comma(int64(p.Parks)))
		rescues += p.Rescues
	}
	fmt.Fprintf(b, "paced, in detail: /proc files read %s times, their values at most %v old\n"+
		"  sent more than a period late: %s\n  preempted by other work: %s times\n",
		humanize.Comma(int64(reads)), time.Duration(oldest).Round(100*time.Microsecond), late[2:], preempted[2:])
	fmt.Fprintf(b, "ring slept in the kernel: %s times; wake-ups lost: %d\n", parked[2:], rescues)
}

func phaseName(p demoPhase) string {
	if p == single {
		return "flat out"
	}
	return string(p)
}

// demoTime writes a time to three digits.
func demoTime(n int64) string {
	v, unit := float64(n), "ns"
	for _, next := range []string{"µs", "ms", "s"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, next
	}
	switch {
	case unit == "ns" || v >= 99.95:
		return fmt.Sprintf("%.0f %s", v, unit)
	case v >= 9.995:
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.2f %s", v, unit)
}

// demoCount writes a whole number with its thousands apart.
func demoCount(v float64) string { return humanize.Comma(int64(v + 0.5)) }

// demoRatio compares with the ring, which is 1.
func demoRatio(v, ring float64) string {
	if ring == 0 {
		return "-"
	}
	switch q := v / ring; {
	case q >= 10:
		return fmt.Sprintf("%.0f", q)
	case q >= 0.1:
		return fmt.Sprintf("%.2f", q)
	default:
		return fmt.Sprintf("%.3f", q)
	}
}
