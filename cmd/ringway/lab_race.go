package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringway/bench"
	"ringway/cmd/ringway/internal/lab"
)

func labRaceCmd() *cobra.Command {
	o := lab.RaceOptions{}
	c := &cobra.Command{
		Use:   "race",
		Short: "Two processes, one x, no lock: every outcome, counted",
		Long: `Race has two processes work on one x in shared memory with no lock, round after round
from x = 5: P does x = x+1, Q does x = x*2. It goes on until every outcome that
there can be was seen --seen times, and says so if one was not seen in time.

To overlap, a round needs both at work in the same few nanoseconds. So each waits
at a start barrier, then for a random moment, and then stays for a random time of up
to --window between its load of x and its store. With --window 0 the load
and the store are next to each other, as in a program nobody widened for a lesson.`,
		Example: `  ringway lab race
  ringway lab race --window 0 --for 1m
  ringway lab race --json | jq '.outcomes[] | {x, count}'`,
		Args:              exactly(),
		ValidArgsFunction: completeNothing,
	}
	f := c.Flags()
	f.DurationVar(&o.For, "for", 10*time.Second, "stop after `DURATION` at the latest")
	f.Uint64Var(&o.Rounds, "rounds", 0, "stop after `N` rounds at the latest; 0: no bound")
	f.Uint64Var(&o.Seen, "seen", 100, "go on until each outcome was seen `N` times")
	f.DurationVar(&o.Window, "window", 200*time.Nanosecond, "stay up to `DURATION` between load and store")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case o.For <= 0:
			return usagef("--for %v is out of range; use more than 0", o.For)
		case o.Seen == 0:
			return usagef("--seen must be 1 or more")
		case o.Window < 0 || o.Window > time.Millisecond:
			return usagef("--window %v is out of range; use 0 to 1ms", o.Window)
		}
		ctx, stop := untilSignal(c)
		defer stop()
		r, err := lab.Race(ctx, o)
		if err != nil {
			return err
		}
		return show(raceFacts{"race", bench.Machine(), raceLesson, r}, *asJSON)
	}
	return c
}

// raceLesson explains the experiment, in two lines.
const raceLesson = `Both steps are load, compute, store. Where one process loads between the other's load and
store, both began with the same x, and whoever stores last wipes out what the other did.`

type raceFacts struct {
	Lab     string `json:"lab"`
	Machine string `json:"machine"`
	Lesson  string `json:"lesson"`
	lab.RaceResult
}

func (r raceFacts) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "x = %d; process P (pid %d) does x = x+1, process Q (pid %d) does x = x*2, with no lock\n\n", r.Start, r.PIDs[0], r.PIDs[1])
	var missing []string
	b.Write(table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "x\t\tHOW\tSTEPS\tROUNDS\n")
		for _, o := range r.Outcomes {
			verdict := "WRONG"
			if o.Correct {
				verdict = "right"
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%.2f%%\n", o.X, verdict, o.Sum, o.Steps, o.Count, share(o.Count, r.Rounds))
			if o.Count == 0 {
				missing = append(missing, fmt.Sprint(o.X))
			}
		}
	}))
	apart := fmt.Sprintf("up to %v between load and store", r.Window)
	if r.Window == 0 {
		apart = "load and store next to each other"
	}
	fmt.Fprintf(&b, "\n%s in %v, %s\n", counted(r.Rounds, "round"), r.Elapsed.Round(time.Millisecond), apart)
	if !r.AllSeen {
		fmt.Fprintf(&b, "NOT SEEN: %s; give it more time (--for) or a wider window (--window)\n", strings.Join(missing, ", "))
	}
	fmt.Fprintf(&b, "\n%s\n", r.Lesson)
	return b.Bytes()
}

// share is n of all, in percent.
func share(n, all uint64) float64 { return 100 * float64(n) / float64(max(all, 1)) }
