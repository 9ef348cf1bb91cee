package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ringway/ring"
)

// textShown is how many bytes of a message tail shows as text.
const textShown = 256

func tailCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "tail NAME",
		Short: "Show the last messages still in memory",
		Long: `Tail shows the last messages that are still in the ring's memory, oldest first,
whether they were consumed or not: position, "consumed", "in hand" (an mpmc consumer
has it and has not released it) or "waiting", length, and the message as a quoted text of at most ` + strconv.Itoa(textShown) + ` bytes. With --hex or --json all of it
is shown; JSON carries the bytes in base64.

On an mpmc ring that is what waits and what each consumer took last; other blocks
do not tell any more what is in them, so there may be gaps. A packed block's elements
have the position of their block and, behind a point, their place in it.

It maps the ring read-only, takes no seat and takes nothing away. What was being
overwritten while it was looked at is left out, so a busy ring shows fewer.`,
		Example: `  ringway tail ticks
  ringway tail ticks -n 1 --hex`,
		Args:              exactly("NAME"),
		ValidArgsFunction: completeRing,
	}
	n := c.Flags().IntP("number", "n", 10, "how many `N` messages")
	asHex := c.Flags().Bool("hex", false, "show the bytes in hexadecimal")
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := ringPath(args[0])
		if err != nil {
			return err
		}
		switch {
		case *n < 1:
			return usagef("-n must be 1 or more, not %d", *n)
		case *asHex && *asJSON:
			return usagef("--hex and --json exclude each other; JSON carries the bytes in base64")
		}
		seen, err := ring.LastSeen(path, *n)
		if err != nil {
			return err
		}
		if seen.Torn > 0 {
			fmt.Fprintf(os.Stderr, "%d more could not be copied before they were overwritten\n", seen.Torn)
		}
		if *asJSON {
			for _, s := range seen.Samples {
				if err := emitJSON(sampleFacts{s.Pos, s.Index, s.Consumed, s.InHand, len(s.Data), s.Data}); err != nil {
					return err
				}
			}
			return nil
		}
		var b bytes.Buffer
		for _, s := range seen.Samples {
			writeSample(&b, s, *asHex)
		}
		return emit(b.Bytes())
	}
	return c
}

type sampleFacts struct {
	Position uint64 `json:"position"`
	Index    int    `json:"index,omitempty"` // in a packed block
	Consumed bool   `json:"consumed"`
	InHand   bool   `json:"in_hand,omitempty"`
	Length   int    `json:"length"`
	Data     []byte `json:"data"` // base64
}

func writeSample(b *bytes.Buffer, s ring.Sample, asHex bool) {
	status := "waiting "
	if s.Consumed {
		status = "consumed"
	}
	if s.InHand {
		status = "in hand "
	}
	at := strconv.FormatUint(s.Pos, 10)
	if s.Index > 0 {
		at += "." + strconv.Itoa(s.Index)
	}
	fmt.Fprintf(b, "%s  %s  %d", at, status, len(s.Data))
	if asHex {
		b.WriteByte('\n')
		b.WriteString(hex.Dump(s.Data))
		return
	}
	text, more := s.Data, ""
	if len(text) > textShown {
		text = text[:textShown]
		for k := 0; k < utf8.UTFMax-1 && !utf8.Valid(text) && utf8.Valid(s.Data); k++ {
			text = text[:len(text)-1] // do not cut a character in two
		}
		more = fmt.Sprintf(" and %s more", counted(len(s.Data)-len(text), "byte"))
	}
	fmt.Fprintf(b, "  %s%s\n", strconv.Quote(string(text)), more)
}
