package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"ringway/bench"
	"ringway/cmd/ringway/internal/lab"
)

const (
	labMaxSlots = 1 << 15
	labMaxItems = 100_000_000
)

func labBufferCmd() *cobra.Command {
	var how string
	var slots int
	var items uint64
	c := &cobra.Command{
		Use:   "boundedbuffer",
		Short: "Producer and consumer: unsafe, with semaphores, with a monitor, with a ring",
		Long: `Boundedbuffer has one process put numbered items into a buffer of --slots slots in shared
memory and another take them out, and prints how many were lost, taken twice or out
of order, whether the sums agree, and the rate:
  unsafe      a counter of filled slots, which both sides change with no lock
  semaphores  one counts free slots, one filled slots, one lets one at a time in
  monitor     a futex.Mutex with two futex.Cond, not full and not empty
  ring        a ring of this library with as many slots
Without --buffer all of them are run, one after the other.`,
		Example: `  ringway lab boundedbuffer
  ringway lab boundedbuffer --buffer unsafe --slots 4
  ringway lab boundedbuffer --json | jq '.buffers[] | {buffer, lost, twice, items_per_second}'`,
		Args:              exactly(),
		ValidArgsFunction: completeNothing,
	}
	f := c.Flags()
	f.StringVar(&how, "buffer", "", "`WAY`: "+strings.Join(lab.Buffers, ", ")+" (default all)")
	f.IntVar(&slots, "slots", 16, "`K` slots, a power of two")
	f.Uint64Var(&items, "items", 1_000_000, "`M` items")
	asJSON := jsonFlag(c)
	completeFlag(c, "buffer", lab.Buffers)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ways := lab.Buffers
		switch {
		case c.Flags().Changed("buffer") && !slices.Contains(lab.Buffers, how):
			return usagef("--buffer must be %s, not %q", strings.Join(lab.Buffers, ", "), how)
		case slots < 1 || slots > labMaxSlots:
			return usagef("--slots %d is out of range; use 1 to %d", slots, labMaxSlots)
		case items < 1 || items > labMaxItems:
			return usagef("--items %d is out of range; use 1 to %d", items, labMaxItems)
		case how != "":
			ways = []string{how}
		}
		if err := powerOfTwo("slots", strconv.Itoa(slots), slots, strconv.Itoa); err != nil {
			return err
		}
		ctx, stop := untilSignal(c)
		defer stop()
		facts := bufferFacts{Lab: "boundedbuffer", Machine: bench.Machine(), Lesson: bufferLesson, Slots: slots}
		for _, way := range ways {
			row, err := lab.BoundedBuffer(ctx, way, slots, items)
			if err != nil {
				return fmt.Errorf("%s: %w", way, err)
			}
			facts.Buffers = append(facts.Buffers, row)
		}
		if err := show(facts, *asJSON); err != nil {
			return err
		}
		return facts.verdict()
	}
	return c
}

const bufferLesson = `Unsafe, producer and consumer race on the count, so one overwrites items or the other takes old
ones. Locks let one at a time change it; in a ring no variable is written by both, so none is needed.`

type bufferFacts struct {
	Lab     string          `json:"lab"`
	Machine string          `json:"machine"`
	Lesson  string          `json:"lesson"`
	Slots   int             `json:"slots"`
	Buffers []lab.BufferRow `json:"buffers"`
}

// verdict is an error if a safe way is none.
func (r bufferFacts) verdict() error {
	for i := range r.Buffers {
		if b := &r.Buffers[i]; b.Buffer != "unsafe" && !b.Good() {
			return errors.New("not every item came once and in order through the buffer with " + b.Buffer + "; this is a bug")
		}
	}
	return nil
}

func (r bufferFacts) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "a producer puts items into a buffer of %s, a consumer takes them out\n\n", counted(r.Slots, "slot"))
	b.Write(table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "BUFFER\tPUT\tTAKEN\tLOST\tTWICE\tDISORDER\tSUM\tITEMS/S\n")
		for i := range r.Buffers {
			row := &r.Buffers[i]
			sum := "agrees"
			if row.ProducedSum != row.TakenSum {
				sum = "WRONG"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Buffer, count(row.Produced), count(row.Taken), count(row.Lost),
				count(row.Twice), count(row.OutOfOrder), sum, demoCount(row.ItemsPerSecond))
		}
	}))
	fmt.Fprintf(&b, "\n%s\n", r.Lesson)
	return b.Bytes()
}

// count writes a number with its thousands apart.
func count(n uint64) string { return humanize.Comma(int64(n)) }
