package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"ringway/internal/telemetry"
)

// played is a demoSource that plays records back.
type played struct{ records []telemetry.Sample }

func (p *played) receive() (*telemetry.Sample, error) {
	run, err := p.take(1)
	if err != nil {
		return nil, err
	}
	return &run[0], nil
}

func (p *played) receiveRun() ([]telemetry.Sample, error) { return p.take(3) }

func (p *played) take(n int) ([]telemetry.Sample, error) {
	if len(p.records) == 0 {
		return nil, io.EOF
	}
	run := p.records[:min(n, len(p.records))]
	p.records = p.records[len(run):]
	return run, nil
}

func (p *played) Close() error { return nil }

func sampleOf(seq uint64) telemetry.Sample {
	s := telemetry.Sample{Seq: seq, Captured: telemetry.Now(), Idle: seq * 3}
	s.Seal()
	return s
}

// The consumer must find every way in which a stream can be wrong, in every phase.
func TestDemoConsumerFindsFaults(t *testing.T) {
	const n = 10
	for _, c := range []struct {
		name    string
		spoil   func(r []telemetry.Sample) []telemetry.Sample
		records uint64
		bad     bool
		words   string
	}{
		{"good", func(r []telemetry.Sample) []telemetry.Sample { return r }, n, false, ""},
		{"one lost", func(r []telemetry.Sample) []telemetry.Sample { return append(r[:4:4], r[5:]...) }, n - 1, true, "record 5 came where 4 was due"},
		{"last lost", func(r []telemetry.Sample) []telemetry.Sample { return append(r[:n-1:n-1], r[n:]...) }, n - 1, true, "record 10 came where 9 was due"},
		{"one twice", func(r []telemetry.Sample) []telemetry.Sample { return append(r[:4:4], r[3:]...) }, n + 1, true, "record 3 came where 4 was due"},
		{"two swapped", func(r []telemetry.Sample) []telemetry.Sample { r[2], r[3] = r[3], r[2]; return r }, n, true, "record 3 came where 2 was due"},
		{"a bit flipped", func(r []telemetry.Sample) []telemetry.Sample { r[6].Idle ^= 1; return r }, n, true, "record 6: its contents do not fit its checksum"},
		{"an old one again", func(r []telemetry.Sample) []telemetry.Sample { r[8] = r[1]; return r }, n, true, "record 1 came where 8 was due"},
	} {
		for _, p := range demoPhases {
			var want telemetry.Digest
			var stream []telemetry.Sample
			for seq := range uint64(n) {
				s := sampleOf(seq)
				want.Add(&s)
				stream = append(stream, s)
			}
			stream = c.spoil(append(stream, sampleOf(n|endMark)))
			consumer := newDemoConsumer(&played{stream}, func(demoReport) error { return nil })
			got, err := consumer.phase(demoOrder{Phase: p.phase})
			if err != nil {
				t.Fatalf("%s, %s: %v", c.name, p.phase, err)
			}
			if got.Records != c.records || (got.Misplaced+got.Damaged != 0) != c.bad || got.FirstFault != c.words {
				t.Errorf("%s, %s: %+v, want %d records and %q", c.name, p.phase, got, c.records, c.words)
			}
			if same := got.Digest == want; !c.bad && !same {
				t.Errorf("%s, %s: another digest than the producer's", c.name, p.phase)
			}
			if (got.Latency != nil) != (p.phase == paced) {
				t.Errorf("%s, %s: latency %+v", c.name, p.phase, got.Latency)
			}
		}
	}
}

func TestDemoUnverifiedFails(t *testing.T) {
	fault := phaseResult{Phase: paced, Produced: produced{Records: 5}, Consumed: consumed{Records: 4, Misplaced: 1, FirstFault: "record 3 came where 2 was due"}}
	r := demoResult{Transports: []transportResult{{Name: "ring", Phases: []phaseResult{fault}}}}
	for _, asJSON := range []bool{false, true} {
		var b bytes.Buffer
		err := r.write(&b, demoOptions{json: asJSON})
		if err == nil {
			t.Error("a loss is no error")
		}
		want := "NOT VERIFIED: ring, paced: 5 produced, 4 consumed, 1 misplaced, 0 damaged: record 3 came where 2 was due"
		if asJSON {
			want = `"verified":false`
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
}

func TestDemoNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0 ns", 7: "7 ns", 999: "999 ns", 1000: "1.00 µs", 1234: "1.23 µs", 9996: "10.0 µs", 12345: "12.3 µs",
		99960: "100 µs", 999400: "999 µs", 999500: "1.00 ms", 1e6: "1.00 ms", 2.5e9: "2.50 s", 60e9: "60.0 s", 600e9: "600 s"} {
		if got := demoTime(n); got != want {
			t.Errorf("demoTime(%d) is %q, want %q", n, got, want)
		}
	}
	for want, v := range map[string][2]float64{"-": {1, 0}, "1.00": {5, 5}, "44": {440, 10}, "0.16": {1.6, 10}, "0.047": {4.7, 100}} {
		if got := demoRatio(v[0], v[1]); got != want {
			t.Errorf("demoRatio(%v) is %q, want %q", v, got, want)
		}
	}
}
