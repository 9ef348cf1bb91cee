package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"ringway/internal/child"
)

// job tells a worker what to do. The files that it needs are its descriptors from
// firstFile on.
type job struct {
	Lab    string        `json:"lab"` // which of the works below
	Name   string        `json:"name"`
	Side   int           `json:"side"`
	CPU    int           `json:"cpu"` // to stay on; negative: any
	Procs  int           `json:"procs,omitempty"`
	Count  uint64        `json:"count,omitempty"`
	Seen   uint64        `json:"seen,omitempty"`
	Size   int           `json:"size,omitempty"`
	Guard  string        `json:"guard,omitempty"`
	For    time.Duration `json:"for,omitempty"`
	Window time.Duration `json:"window,omitempty"`
	files  []*os.File
}

// firstFile is the descriptor of a worker's first file.
const firstFile = 3

// file returns the n-th file the worker was given.
func (j *job) file(n int) *os.File { return os.NewFile(uintptr(firstFile+n), j.Name) }

// works are what workers do; each returns its account.
var works = map[string]func(*job) (any, error){}

// Work is the life of a worker process: it does the job in text and prints its account.
func Work(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil || works[j.Lab] == nil {
		return errors.New("the lab starts this itself; run ringway lab")
	}
	if j.CPU >= 0 {
		_ = child.Pin(j.CPU) // refused where the CPU was taken from us meanwhile: then any will do
	}
	account, err := works[j.Lab](&j)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(account)
}

// worker is a running process of an experiment.
type worker struct {
	name     string
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

// PID returns the worker's process id.
func (w *worker) PID() int { return w.cmd.Process.Pid }

// account decodes what the worker said at its end.
func (w *worker) account(into any) error {
	if err := json.Unmarshal(w.out.Bytes(), into); err != nil {
		return fmt.Errorf("the %s (pid %d) gave no account: %w", w.name, w.PID(), err)
	}
	return nil
}

// crew runs one process for each job until all are done, and returns them in order. If
// one fails, or ctx ends, it kills the others. All are gone when it returns.
func crew(ctx context.Context, jobs ...job) ([]*worker, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find our own binary: %w", err)
	}
	var workers []*worker
	ended := make(chan error, len(jobs))
	running := 0
	defer func() {
		for _, w := range workers {
			_ = w.cmd.Process.Kill() // fails only if it is gone
		}
		for ; running > 0; running-- {
			<-ended
		}
	}()
	cpus := allowedCPUs()
	for i, j := range jobs {
		// Two that share a CPU take turns and hardly ever meet, and which ones do is chance.
		if j.CPU = -1; len(cpus) > 1 {
			j.CPU = cpus[i%len(cpus)]
		}
		w, err := start(exe, j)
		if err != nil {
			return nil, err
		}
		workers = append(workers, w)
		running++
		go func() { ended <- w.wait() }()
	}
	for running > 0 {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case err := <-ended:
			running--
			if err != nil {
				return nil, err
			}
		}
	}
	return workers, nil
}

func start(exe string, j job) (*worker, error) {
	text, err := json.Marshal(&j)
	if err != nil {
		return nil, err
	}
	w := &worker{name: j.Name, cmd: exec.Command(exe, "lab", "worker", string(text))}
	w.cmd.Stdout, w.cmd.Stderr, w.cmd.ExtraFiles = &w.out, &w.err, j.files
	dieWithParent(w.cmd)
	if err := child.Launch(w.cmd); err != nil {
		return nil, fmt.Errorf("cannot start the %s: %w", j.Name, err)
	}
	return w, nil
}

// wait returns when the worker is gone, with what went wrong.
func (w *worker) wait() error {
	err := w.cmd.Wait()
	if err == nil {
		return nil
	}
	words, _, _ := strings.Cut(strings.TrimSpace(w.err.String()), "\n")
	if words = strings.TrimPrefix(words, "ringway lab worker: "); words != "" {
		return fmt.Errorf("the %s (pid %d): %s", w.name, w.PID(), words)
	}
	return fmt.Errorf("the %s (pid %d): %w", w.name, w.PID(), err)
}
