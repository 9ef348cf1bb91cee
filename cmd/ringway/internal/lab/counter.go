package lab

import (
	"context"
	"fmt"
	"os"
	"structs"
)

// Guards are the ways to guard the counter, in the order in which they are shown.
var Guards = []string{"none", "mutex", "semaphore", "atomic", "ring"}

// CounterRow is what one guard did.
type CounterRow struct {
	Guard    string  `json:"guard"`
	Expected uint64  `json:"expected"`
	Counted  uint64  `json:"counted"`
	Lost     int64   `json:"lost"`
	NsPerOp  float64 `json:"ns_per_op"` // of wall time, all processes together
	PIDs     []int   `json:"pids"`
}

// counterBoard is the memory of the processes that count.
type counterBoard struct {
	_    structs.HostLayout
	gate word
	x    word
	guards
}

// span is when a worker began and ended.
type span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Counter has procs processes add 1 to one counter, ops times each, under a guard.
func Counter(ctx context.Context, guard string, procs int, ops uint64) (CounterRow, error) {
	row := CounterRow{Guard: guard, Expected: uint64(procs) * ops}
	memory, err := nameless(sizeOf[counterBoard]())
	if err != nil {
		return row, err
	}
	defer memory.Close()
	board, _, detach, err := attach[counterBoard](memory)
	if err != nil {
		return row, err
	}
	defer detach()
	if err := board.prepare(1); err != nil {
		return row, err
	}
	var jobs []job
	for i := range procs {
		jobs = append(jobs, job{Lab: "counter", Name: fmt.Sprintf("counting process %d", i+1), Side: i, Procs: procs,
			Count: ops, Guard: guard, files: []*os.File{memory}})
	}
	if guard == "ring" {
		closeAll, err := counterRings(jobs)
		if err != nil {
			return row, err
		}
		defer closeAll()
		owner := jobs[0]
		owner.Lab, owner.Name = "counter owner", "counter's owner"
		owner.files = []*os.File{memory}
		for _, j := range jobs {
			owner.files = append(owner.files, j.files[1])
		}
		jobs = append(jobs, owner)
	}
	workers, err := crew(ctx, jobs...)
	if err != nil {
		return row, err
	}
	all, err := spans(workers)
	if err != nil {
		return row, err
	}
	for _, w := range workers {
		row.PIDs = append(row.PIDs, w.PID())
	}
	row.Counted = board.x.Load()
	row.Lost = int64(row.Expected - row.Counted)
	row.NsPerOp = float64(all.To-all.From) / float64(row.Expected)
	return row, nil
}

// spans returns the time from the first beginning to the last end.
func spans(workers []*worker) (span, error) {
	all := span{From: 1<<64 - 1}
	for _, w := range workers {
		var s span
		if err := w.account(&s); err != nil {
			return all, err
		}
		all.From, all.To = min(all.From, s.From), max(all.To, s.To)
	}
	return all, nil
}

func init() {
	works["counter"] = counterWork
	works["counter owner"] = counterOwner
}

func counterWork(j *job) (any, error) {
	b, _, detach, err := attach[counterBoard](j.file(0))
	if err != nil {
		return nil, err
	}
	defer detach()
	count, leave, err := b.counting(j)
	if err != nil {
		return nil, err
	}
	others := j.Procs
	if j.Guard == "ring" {
		others++ // the owner comes to the gate, too
	}
	meet(&b.gate, others)
	s := span{From: now()}
	if err := count(j.Count); err != nil {
		return nil, err
	}
	s.To = now()
	return s, leave()
}

func nothing() error { return nil }

// counting returns a loop that adds 1 to x n times under the job's guard, and what to
// call after it. Each guard has a loop of its own, so that nothing but the guard differs.
func (b *counterBoard) counting(j *job) (count func(n uint64) error, leave func() error, err error) {
	switch j.Guard {
	case "none":
		return b.unguarded, nothing, nil
	case "mutex":
		return b.locked, nothing, nil
	case "semaphore":
		return b.permitted, nothing, nil
	case "atomic":
		return b.atomically, nothing, nil
	case "ring":
		return b.sending(j)
	}
	return nil, nil, fmt.Errorf("there is no guard %q", j.Guard)
}

// unguarded is the lost update: between the load and the store another process's store
// may come, and is wiped out.
func (b *counterBoard) unguarded(n uint64) error {
	for ; n > 0; n-- {
		x := b.x.Load()
		b.x.Store(x + 1)
	}
	return nil
}

// atomically makes load, add and store one instruction.
func (b *counterBoard) atomically(n uint64) error {
	for ; n > 0; n-- {
		b.x.Add(1)
	}
	return nil
}
