package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
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
whether they were consumed or not: position, "consumed" or "waiting", length, and
the message as a quoted text of at most ` + strconv.Itoa(textShown) + ` bytes. With --hex or --json all of it
is shown; JSON carries the bytes in base64.

It maps the ring read-only, takes no seat and takes nothing away. What the
producer was just overwriting is left out, so a busy ring shows fewer.`,
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
		samples, err := ring.Last(path, *n)
		if err != nil {
			return err
		}
		if *asJSON {
			for _, s := range samples {
				if err := emitJSON(sampleFacts{s.Pos, s.Consumed, len(s.Data), s.Data}); err != nil {
					return err
				}
			}
			return nil
		}
		var b bytes.Buffer
		for _, s := range samples {
			writeSample(&b, s, *asHex)
		}
		return emit(b.Bytes())
	}
	return c
}

type sampleFacts struct {
	Position uint64 `json:"position"`
	Consumed bool   `json:"consumed"`
	Length   int    `json:"length"`
	Data     []byte `json:"data"` // base64
}

func writeSample(b *bytes.Buffer, s ring.Sample, asHex bool) {
	status := "waiting "
	if s.Consumed {
		status = "consumed"
	}
	fmt.Fprintf(b, "%d  %s  %d", s.Pos, status, len(s.Data))
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
		more = fmt.Sprintf(" and %d bytes more", len(s.Data)-len(text))
	}
	fmt.Fprintf(b, "  %s%s\n", strconv.Quote(string(text)), more)
}
