package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringway/bench"
	"ringway/cmd/ringway/internal/lab"
)

const (
	compareMinFor  = time.Millisecond
	compareMaxFor  = time.Minute
	compareMaxSize = 256 << 20

	compareMaxSamples = 1000
)

func labCompareCmd() *cobra.Command {
	var sizes, transports []string
	var svg, page string
	o := lab.CompareOptions{}
	c := &cobra.Command{
		Use:   "compare",
		Short: "Shared memory against message passing, by the size of the message",
		Long: `Compare moves messages of 8 B to 16 MiB between two processes, through shared memory and
through the kernel, and finds where the lead changes from one to the other:
` + transportList() + `
Each message is written to the last byte by the one process and read to the last byte
and checked by the other. Throughput is a stream one way; the round trip is a
message there and one of the same size back, the median of many. Each is sampled
--samples times, in turn, and the best one counts: what else the machine does only
ever slows. A message queue goes as far as the kernel's limits let it.`,
		Example: `  ringway lab compare
  ringway lab compare --for 200ms --html compare.html
  ringway lab compare --transports ring,pipe --sizes 64,4KiB,256KiB
  ringway lab compare --json | jq '.transports[] | {name, points}'`,
		Args:              exactly(),
		ValidArgsFunction: completeNothing,
	}
	f := c.Flags()
	f.DurationVar(&o.For, "for", 30*time.Millisecond, "take `DURATION` for each sample")
	f.IntVar(&o.Samples, "samples", 5, "take `N` samples of each measurement, of which the best counts")
	f.StringSliceVar(&sizes, "sizes", []string{"8", "64", "512", "4KiB", "32KiB", "256KiB", "2MiB", "16MiB"}, "`SIZES` of messages, multiples of 8")
	f.StringSliceVar(&transports, "transports", transportNames(), "`TRANSPORTS` to compare")
	f.StringVar(&svg, "svg", "", "draw the curves into `FILE`")
	f.StringVar(&page, "html", "", "write a page with curves and figures into `FILE`")
	asJSON := jsonFlag(c)
	completeFlag(c, "transports", transportNames())
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if o.For < compareMinFor || o.For > compareMaxFor {
			return usagef("--for %v is out of range; use %v to %v", o.For, compareMinFor, compareMaxFor)
		}
		if o.Samples < 1 || o.Samples > compareMaxSamples {
			return usagef("--samples %d is out of range; use 1 to %d", o.Samples, compareMaxSamples)
		}
		if o.Sizes, err = messageSizes(sizes); err != nil {
			return err
		}
		if o.Transports, err = transportsNamed(transports); err != nil {
			return err
		}
		for name, file := range map[string]string{"svg": svg, "html": page} {
			if err := placeFor(name, file); err != nil {
				return err
			}
		}
		say, end := compareProgress()
		o.Progress = say
		ctx, stop := untilSignal(c)
		defer stop()
		r, err := lab.Compare(ctx, o)
		end()
		if err != nil {
			return err
		}
		facts := compareFacts{"compare", bench.Machine(), compareLesson, r}
		if err := show(facts, *asJSON); err != nil {
			return err
		}
		return facts.draw(svg, page)
	}
	return c
}

func transportNames() (names []string) {
	for _, t := range lab.Transports {
		names = append(names, t.Name)
	}
	return names
}

func transportList() string {
	return strings.TrimRight(string(table(func(w *tabwriter.Writer) {
		for _, t := range lab.Transports {
			fmt.Fprintf(w, "  %s\t%s\n", t.Name, t.What)
		}
	})), "\n")
}

// messageSizes reads --sizes and sorts them.
func messageSizes(texts []string) (sizes []int, err error) {
	for _, text := range texts {
		n, err := parseSize("sizes", text)
		switch {
		case err != nil:
			return nil, err
		case n%8 != 0:
			return nil, usagef("--sizes %s is not a multiple of 8; use %d", text, (n+7)/8*8)
		case n > compareMaxSize:
			return nil, usagef("--sizes %s is out of range; use at most %s", text, exactSize(compareMaxSize))
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	if sizes = slices.Compact(sizes); len(sizes) == 0 {
		return nil, usagef("--sizes is empty; use some such as 64,4KiB")
	}
	return sizes, nil
}

// transportsNamed reads --transports and keeps the order of the list.
func transportsNamed(names []string) (chosen []lab.Transport, err error) {
	for _, name := range names {
		if !slices.Contains(transportNames(), name) {
			return nil, usagef("--transports must be of %s, not %q", strings.Join(transportNames(), ","), name)
		}
	}
	for _, t := range lab.Transports {
		if slices.Contains(names, t.Name) {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return nil, usagef("--transports is empty; use some of %s", strings.Join(transportNames(), ","))
	}
	return chosen, nil
}

// placeFor refuses early what could not be written at the end.
func placeFor(flag, file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return usagef("--%s %s is a directory; give a file", flag, file)
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return usagef("--%s %s: there is no directory %s", flag, file, filepath.Dir(file))
	}
	return nil
}

// compareProgress paints where we are on standard error, if that is a terminal.
func compareProgress() (say func(done, all int, what string), end func()) {
	if !isTerminal(2) {
		return func(int, int, string) {}, func() {}
	}
	return func(done, all int, what string) {
			fmt.Fprintf(os.Stderr, "\r\x1b[K%d of %d: %s", done, all, what)
		}, func() {
			fmt.Fprint(os.Stderr, "\r\x1b[K")
		}
}

const compareLesson = `The kernel copies a message twice and is called twice; memory that both have needs neither, but
somebody must say when it is whose. A ring says so with two stores, a lock with a sleep and a wake.`

type compareFacts struct {
	Lab     string `json:"lab"`
	Machine string `json:"machine"`
	Lesson  string `json:"lesson"`
	lab.CompareResult
}

// draw writes the files asked for.
func (r compareFacts) draw(svg, page string) error {
	if svg != "" {
		if err := os.WriteFile(svg, []byte(lab.SVG(&r.CompareResult, r.Machine, exactSize)), 0o666); err != nil {
			return err
		}
	}
	if page == "" {
		return nil
	}
	return os.WriteFile(page, []byte(lab.HTML(&r.CompareResult, r.Machine, r.Lesson, r.figures()+"\n"+r.crossings(), exactSize)), 0o666)
}

func (r compareFacts) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n%s\n", r.Machine, r.figures())
	marks := ""
	for _, c := range r.Curves {
		marks += fmt.Sprintf(", %c %s", c.Mark, c.Name)
	}
	for _, m := range []string{lab.Throughput, lab.RoundTrip} {
		fmt.Fprintf(&b, "%s over the size of a message: %s\n\n%s\n", m, marks[2:], lab.Plot(&r.CompareResult, m, exactSize))
	}
	fmt.Fprintf(&b, "%s\n%s\n", r.crossings(), r.Lesson)
	return b.Bytes()
}

// figures is a table of all points.
func (r compareFacts) figures() string {
	row := func(w *tabwriter.Writer, title string, cell func(lab.Point) string) {
		fmt.Fprintf(w, "%s", title)
		for _, size := range r.Sizes {
			fmt.Fprintf(w, "\t%s", exactSize(size))
		}
		fmt.Fprintln(w)
		for _, c := range r.Curves {
			fmt.Fprintf(w, "%s", c.Name)
			for _, p := range c.Points {
				if p.Missing != "" {
					fmt.Fprintf(w, "\t-")
				} else {
					fmt.Fprintf(w, "\t%s", cell(p))
				}
			}
			fmt.Fprintln(w)
		}
	}
	text := string(table(func(w *tabwriter.Writer) {
		row(w, "BYTES/S", func(p lab.Point) string { return roughSize(uint64(p.BytesPerSecond)) })
		fmt.Fprintln(w)
		row(w, "ROUND TRIP", func(p lab.Point) string { return demoTime(int64(p.RoundTripNs)) })
	}))
	said := map[string]bool{}
	for _, c := range r.Curves {
		for _, p := range c.Points {
			if p.Missing != "" && !said[c.Name] {
				said[c.Name] = true
				text += fmt.Sprintf("%s ends before %s: %s\n", c.Name, exactSize(p.Size), p.Missing)
			}
		}
	}
	return text
}

// crossings says where the lead changes.
func (r compareFacts) crossings() string {
	return string(table(func(w *tabwriter.Writer) {
		for _, c := range r.Cross {
			fmt.Fprintf(w, "%s\t%s against %s\t%s\t%s\n", c.Measure, c.Shared, c.Passing, crossingText(c), factorText(c))
		}
	}))
}

func crossingText(c lab.Crossing) string {
	switch {
	case c.Measured == 0:
		return "never both measured"
	case c.First == "neither":
		return "level at every size"
	case len(c.At) == 0 && c.Least >= 1 && c.First == "shared":
		return "ahead at every size"
	case len(c.At) == 0 && c.Most <= 1:
		return "behind at every size"
	case len(c.At) == 0 && c.First == "shared":
		return "ahead or level at every size"
	case len(c.At) == 0:
		return "behind or level at every size"
	}
	text, ahead := "", c.First == "shared"
	for i, at := range c.At {
		switch {
		case i == 0 && ahead:
			text = "ahead up to "
		case i == 0:
			text = "behind up to "
		case ahead:
			text += ", ahead up to "
		default:
			text += ", behind up to "
		}
		text += roughSize(uint64(at))
		ahead = !ahead
	}
	if ahead {
		return text + ", then ahead"
	}
	return text + ", then behind"
}

// factorText says how far ahead the shared one is; below 1 it is behind.
func factorText(c lab.Crossing) string {
	if c.Measured == 0 {
		return ""
	}
	return fmt.Sprintf("%s times (%s) to %s times (%s)", demoRatio(c.Least, 1), exactSize(c.LeastAt), demoRatio(c.Most, 1), exactSize(c.MostAt))
}
