package main

import (
	"bytes"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringway/bench"
	"ringway/cmd/ringway/internal/lab"
)

func labDeathCmd() *cobra.Command {
	var patience time.Duration
	c := &cobra.Command{
		Use:   "ownerdeath",
		Short: "kill -9 in the middle of a critical section, and what the next process gets",
		Long: `Ownerdeath kills a process with SIGKILL while it holds something, half way through moving
10 of 100 from one account in shared memory to another, while the next one waits:
  word       a test-and-set lock: an atomic word that says who has it
  mutex      a futex.Mutex, which is robust
  semaphore  the one permit of a futex.Semaphore
  ring       the producer's seat of a ring, with a message half written`,
		Example: `  ringway lab ownerdeath
  ringway lab ownerdeath --json | jq '.held[] | {held, free, after_ns}'`,
		Args:              exactly(),
		ValidArgsFunction: completeNothing,
	}
	c.Flags().DurationVar(&patience, "for", time.Second, "give up after `DURATION` where the lock never becomes free")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if patience <= 0 {
			return usagef("--for %v is out of range; use more than 0", patience)
		}
		ctx, stop := untilSignal(c)
		defer stop()
		facts := deathFacts{Lab: "ownerdeath", Machine: bench.Machine(), Lesson: deathLesson}
		for _, held := range lab.Holdings {
			row, err := lab.OwnerDeath(ctx, held, patience)
			if err != nil {
				return fmt.Errorf("%s: %w", held, err)
			}
			facts.Held = append(facts.Held, row)
		}
		return show(facts, *asJSON)
	}
	return c
}

const deathLesson = `Nobody but the kernel knows that a process is dead: these locks ask it. A mutex hands what it
guards over as it is and says so; a ring has nothing to repair: what is not pushed is not there.`

type deathFacts struct {
	Lab     string         `json:"lab"`
	Machine string         `json:"machine"`
	Lesson  string         `json:"lesson"`
	Held    []lab.DeathRow `json:"held"`
}

func (r deathFacts) text() []byte {
	var b bytes.Buffer
	b.WriteString("a process is killed in its critical section; the next one waits for what it held\n\n")
	b.Write(table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "HELD\tFREE\tAFTER\tTOLD\tFOUND\tAND THEN\n")
		for _, h := range r.Held {
			free := "NEVER"
			if h.Free {
				free = "yes"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Held, free, demoTime(int64(h.After)), h.Said, h.Found, h.Becomes)
		}
	}))
	fmt.Fprintf(&b, "\n%s\n", r.Lesson)
	return b.Bytes()
}
