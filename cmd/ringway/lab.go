package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ringway/cmd/ringway/internal/lab"
)

func labCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Watch what textbooks say about shared memory: races, their cures, and message passing",
		Long: `Lab runs the experiments of a textbook on shared memory between real processes:
a race in every outcome it can have, a counter with and without a guard, a bounded
buffer in four ways, shared memory against message passing, and the death of a
process in its critical section.

Each prints what was counted and two lines that explain it; --json prints the same for
a program to plot. docs/GUIDE.md is the chapter that goes with it.

Nothing is left behind, whatever ends an experiment. The exit status is 0 if all went
as it must, 1 if a guard lost something or if something failed, 2 for wrong use, 130
after Ctrl-C (SIGINT), 143 after SIGTERM and 129 after SIGHUP.`,
		Example: `  ringway lab race
  ringway lab counter --guard none
  ringway lab boundedbuffer
  ringway lab compare --html compare.html
  ringway lab ownerdeath`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			hint := ""
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
			}
			return usagef("there is no experiment %q%s", args[0], hint)
		},
	}
	c.SuggestionsMinimumDistance = 2
	c.AddCommand(labRaceCmd(), labCounterCmd(), labBufferCmd(), labCompareCmd(), labDeathCmd(), labWorkerCmd())
	return c
}

// labWorkerCmd is what an experiment starts: one of its processes.
func labWorkerCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "worker JOB",
		Short:  "one process of an experiment, which starts it itself",
		Args:   exactly("JOB"),
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			// Ctrl-C reaches every process of the terminal; ours ends with its parent.
			signal.Ignore(os.Interrupt)
			return lab.Work(args[0])
		},
	}
}

// untilSignal returns a context that ends at a signal, with an error that has the
// signal's exit status, and a function that gives the signals back.
func untilSignal(c *cobra.Command) (context.Context, func()) {
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case s := <-signals:
			cancel(interrupted(s))
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// shown is the result of an experiment.
type shown interface{ text() []byte }

// show prints a result.
func show(r shown, asJSON bool) error {
	if asJSON {
		return emitJSON(r)
	}
	return emit(r.text())
}

// completeFlag completes a flag from a list of values.
func completeFlag(c *cobra.Command, name string, values []string) {
	_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for an unknown flag only
}
