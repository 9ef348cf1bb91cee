package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ringway/ring"
)

func checkCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "check NAME",
		Short: "Look at every invariant of a ring",
		Long: `Check looks at every invariant of a ring that can be seen from outside and says
which are broken; the exit status is 1 if any is. It maps the ring read-only and
is right on a ring in use: what a running peer changes meanwhile is never
mistaken for damage. A seat whose owner died is no damage.

Of every ring: header (format, checksum, offsets, size), state and seats. Of an
spsc ring: positions, claim, seal, and records of messages. Of an mpmc ring: hints
(never ahead of the truth), slots (every one at the version that head and tail leave
it), seal (one, at the end, after shutdown), blocks (each in exactly one slot or
seat), records (what each seat says is what its owner can leave behind), headers
(each block in a slot says what its slot does) and counters. Slots and blocks need an
instant at which nothing moves; a ring that has none for two seconds is said to be
changing there, and the rest is judged.`,
		Example: `  ringway check ticks
  ringway check ticks --json | jq '.findings[] | select(.ok | not)'`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		found, err := ring.Check(path)
		if err != nil {
			return err
		}
		facts := checkFacts{Path: path, OK: true, Findings: []findingFacts{}}
		var broken []string
		for _, f := range found {
			facts.Findings = append(facts.Findings, findingFacts(f))
			if !f.OK {
				facts.OK = false
				broken = append(broken, f.Name)
			}
		}
		if *asJSON {
			err = emitJSON(facts)
		} else {
			err = emit(facts.table())
		}
		if err == nil && !facts.OK {
			err = fmt.Errorf("%s is broken: %s; remove it and create the ring again", path, strings.Join(broken, ", "))
		}
		return err
	}
	return c
}

type checkFacts struct {
	Path     string         `json:"path"`
	OK       bool           `json:"ok"`
	Findings []findingFacts `json:"findings"`
}

type findingFacts struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (f checkFacts) table() []byte {
	return table(func(w *tabwriter.Writer) {
		for _, one := range f.Findings {
			verdict := "ok"
			if !one.OK {
				verdict = "BROKEN"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", one.Name, verdict, printable(one.Detail))
		}
	})
}
