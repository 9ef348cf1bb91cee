package main

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"ringway/internal/telemetry"
)

// What the demo's parent and its two children tell each other: JSON, one object a line,
// down the child's standard input and up its standard output.

// demoPhase is one way of moving records.
type demoPhase string

const (
	paced   demoPhase = "paced"   // at a rate, one record per call: latency
	single  demoPhase = "single"  // as fast as it goes, one record per call
	batched demoPhase = "batched" // as fast as it goes, demoBatch records per call
)

// demoPhases are run in this order, each for its share in tenths of the time.
var demoPhases = []struct {
	phase  demoPhase
	tenths time.Duration
}{{paced, 5}, {single, 3}, {batched, 2}}

// demoBatch is how many records the batched demoPhase hands over at once.
const demoBatch = 64

// order tells a child to run a phase.
type demoOrder struct {
	Phase demoPhase     `json:"phase"`
	For   time.Duration `json:"for_ns"`
	Rate  uint64        `json:"rate"` // records per second, for the paced phase
}

// demoReport is what a child says: exactly one of these is set.
type demoReport struct {
	Ready    bool          `json:"ready,omitempty"`
	Progress *demoProgress `json:"progress,omitempty"` // consumer only, a few times a second
	Produced *produced     `json:"produced,omitempty"` // the producer's end of a phase
	Consumed *consumed     `json:"consumed,omitempty"` // the consumer's
	Error    string        `json:"error,omitempty"`    // its last words
}

// latency is in nanoseconds.
type latency struct {
	P50  int64 `json:"p50_ns"`
	P90  int64 `json:"p90_ns"`
	P99  int64 `json:"p99_ns"`
	P999 int64 `json:"p999_ns"`
	Max  int64 `json:"max_ns"`
}

// demoProgress is where a consumer is in its phase.
type demoProgress struct {
	Records uint64   `json:"records"` // of this phase
	At      uint64   `json:"at_ns"`   // telemetry.Now when it had them
	Latency *latency `json:"latency,omitempty"`
}

// produced is a producer's account of a phase.
type produced struct {
	Records uint64           `json:"records"`
	Digest  telemetry.Digest `json:"digest"`
	Late    uint64           `json:"late"`      // left more than one period after they were due
	Reads   uint64           `json:"reads"`     // of files in /proc
	Oldest  uint64           `json:"oldest_ns"` // age of the oldest value that was handed out
	Alone   float64          `json:"alone"`     // records per second without any transport; flat out only

	Preempted uint64 `json:"preempted"` // times that something else took the CPU
}

// consumed is a consumer's account of a phase.
type consumed struct {
	Records    uint64           `json:"records"`
	Digest     telemetry.Digest `json:"digest"`
	Elapsed    uint64           `json:"elapsed_ns"` // first capture to the last record's use
	Misplaced  uint64           `json:"misplaced"`  // records that were not the next one
	Damaged    uint64           `json:"damaged"`    // records whose checksum was wrong
	FirstFault string           `json:"first_fault,omitempty"`
	Latency    *latency         `json:"latency,omitempty"`
	Preempted  uint64           `json:"preempted"` // as in produced
}

// endMark in Sample.Seq says that a phase is over; the other bits are the number of
// the next record. It travels with the records, so nothing can pass it.
const endMark = 1 << 63

// demoWire reads and writes JSON lines.
type demoWire struct {
	in  *bufio.Reader
	out io.Writer
}

func newDemoWire(in io.Reader, out io.Writer) *demoWire { return &demoWire{bufio.NewReader(in), out} }

func (w *demoWire) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(b, '\n')) // one write, so that lines of two goroutines do not mix
	return err
}

// receive reads the next object into v, or returns io.EOF.
func (w *demoWire) receive(v any) error {
	line, err := w.in.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}
