package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"ringway/internal/telemetry"
)

// Format is what Report.Format says, so that a reader knows what it reads.
const Format = "ringway-bench/1"

// Report is a run of the bench, as JSON has it.
type Report struct {
	Format  string         `json:"format"`
	Machine string         `json:"machine"`
	Command string         `json:"command"`
	CPUs    []int          `json:"cpus"`
	Taken   time.Time      `json:"taken"`
	Clock   float64        `json:"clock_ns"` // one reading, part of each timed operation
	Notes   []string       `json:"notes,omitempty"`
	Rows    []Row          `json:"rows"`
	Lost    map[string]int `json:"discarded"` // samples, by reason
}

// NewReport begins a report of this machine.
func NewReport(command string, cpus []int) *Report {
	return &Report{Format: Format, Machine: Machine(), Command: command, CPUs: cpus, Taken: time.Now().UTC().Truncate(time.Second),
		Clock: ClockCost(), Lost: map[string]int{}}
}

// Add takes in what a case found out.
func (r *Report) Add(run *Run) {
	r.Rows = append(r.Rows, run.Rows()...)
	for why, n := range run.Discarded {
		r.Lost[why] += n
	}
}

// ReadReport reads a report that WriteJSON or another bench with the same format wrote.
func ReadReport(in io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return nil, fmt.Errorf("not a report of the bench: %w", err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("not a report of the bench: its format is %q, not %q", r.Format, Format)
	}
	return &r, nil
}

// ClockCost returns what one reading of the clock takes, in ns: the best of a few tries.
func ClockCost() float64 {
	const reads = 10_000
	best := uint64(1 << 62)
	for range 9 {
		t := telemetry.Now()
		for range reads - 1 {
			telemetry.Now()
		}
		best = min(best, telemetry.Now()-t)
	}
	return float64(best) / reads
}
