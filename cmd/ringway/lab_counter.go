package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"ringway/bench"
	"ringway/cmd/ringway/internal/lab"
)

const (
	labMaxProcs = 64
	labMaxOps   = 1_000_000_000
)

func labCounterCmd() *cobra.Command {
	var guard string
	var procs int
	var ops uint64
	c := &cobra.Command{
		Use:   "counter",
		Short: "Lost updates of a shared counter, and what each cure costs",
		Long: `Counter has --procs processes add 1 to one counter in shared memory, --ops times
each, under a guard, and prints how many additions were lost and what one cost:
  none       load, add, store, with nothing around them
  mutex      the same between Lock and Unlock of a futex.Mutex
  semaphore  the same between Acquire and Release of a futex.Semaphore of one permit
  atomic     one atomic addition
  ring       nobody shares the counter: each process sends what it wants to add
             through a ring of its own to one more process, which owns the number
Without --guard all of them are run, one after the other.`,
		Example: `  ringway lab counter
  ringway lab counter --guard none --procs 4
  ringway lab counter --json | jq '.guards[] | {guard, lost, ns_per_op}'`,
		Args:              exactly(),
		ValidArgsFunction: completeNothing,
	}
	f := c.Flags()
	f.StringVar(&guard, "guard", "", "`GUARD`: "+strings.Join(lab.Guards, ", ")+" (default all)")
	f.IntVar(&procs, "procs", 2, "`N` processes")
	f.Uint64Var(&ops, "ops", 1_000_000, "`M` additions by each")
	asJSON := jsonFlag(c)
	completeFlag(c, "guard", lab.Guards)
	c.RunE = func(c *cobra.Command, _ []string) error {
		guards := lab.Guards
		switch {
		case c.Flags().Changed("guard") && !slices.Contains(lab.Guards, guard):
			return usagef("--guard must be %s, not %q", strings.Join(lab.Guards, ", "), guard)
		case procs < 1 || procs > labMaxProcs:
			return usagef("--procs %d is out of range; use 1 to %d", procs, labMaxProcs)
		case ops < 1 || ops > labMaxOps:
			return usagef("--ops %d is out of range; use 1 to %d", ops, labMaxOps)
		case guard != "":
			guards = []string{guard}
		}
		ctx, stop := untilSignal(c)
		defer stop()
		facts := counterFacts{Lab: "counter", Machine: bench.Machine(), Lesson: counterLesson, Procs: procs, Ops: ops}
		for _, g := range guards {
			row, err := lab.Counter(ctx, g, procs, ops)
			if err != nil {
				return fmt.Errorf("guard %s: %w", g, err)
			}
			facts.Guards = append(facts.Guards, row)
		}
		if err := show(facts, *asJSON); err != nil {
			return err
		}
		return facts.verdict()
	}
	return c
}

const counterLesson = `x+1 is a load, an addition and a store: without a guard a process stores over what another
stored since its load. A guard lets one at a time in, or leaves x to one process alone.`

type counterFacts struct {
	Lab     string           `json:"lab"`
	Machine string           `json:"machine"`
	Lesson  string           `json:"lesson"`
	Procs   int              `json:"procs"`
	Ops     uint64           `json:"ops"` // by each process
	Guards  []lab.CounterRow `json:"guards"`
}

// verdict is an error if a cure is none.
func (r counterFacts) verdict() error {
	for _, g := range r.Guards {
		if g.Guard != "none" && g.Lost != 0 {
			return errors.New("the " + g.Guard + " lost updates; this is a bug")
		}
	}
	return nil
}

func (r counterFacts) text() []byte {
	var b bytes.Buffer
	adders, times := fmt.Sprintf("%d processes add 1", r.Procs), count(uint64(r.Ops))+" times"
	if r.Procs == 1 {
		adders = "1 process adds 1"
	}
	if r.Ops == 1 {
		times = "once"
	}
	fmt.Fprintf(&b, "%s to one counter, %s each\n\n", adders, times)
	b.Write(table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "GUARD\tEXPECTED\tCOUNTED\tLOST\t\tNS/OP\n")
		for _, g := range r.Guards {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.1f%%\t%.1f\n", g.Guard, humanize.Comma(int64(g.Expected)), humanize.Comma(int64(g.Counted)),
				humanize.Comma(g.Lost), 100*float64(g.Lost)/float64(g.Expected), g.NsPerOp)
		}
	}))
	fmt.Fprintf(&b, "\nns/op is the wall time by the additions of all\n\n%s\n", r.Lesson)
	return b.Bytes()
}
