// Slots answers one question of the format: does a consumer look at tail, or at a word inside the slot? See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"ringway/bench"
)

func main() {
	bench.ChildMain()
	var o options
	flag.IntVar(&o.samples, "samples", 15, "how many samples each measurement needs in each placement class")
	flag.DurationVar(&o.limit, "limit", 10*time.Minute, "when to stop although a class was not seen often enough")
	only := flag.String("only", ".", "run only measurements whose name matches this regular expression")
	flag.BoolVar(&o.verbose, "v", false, "print every sample")
	cpus, err := bench.TwoCPUs()
	if err != nil {
		fail(err)
	}
	flag.IntVar(&o.cpus[0], "producer", cpus[0], "CPU of the producer")
	flag.IntVar(&o.cpus[1], "consumer", cpus[1], "CPU of the consumer")
	flag.Parse()
	re, err := regexp.Compile(*only)
	if err == nil {
		o.only = re
		err = o.run()
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "slots:", err)
	os.Exit(1)
}

const (
	probeTrips = 1000
	rounds     = 4 // before new processes and new memory: which pages they get moves some numbers by a third
	idle       = 20 * time.Millisecond
)

// whats are the measurements of each variant: one way, one way in batches of 32, round trip, round trip at an irregular beat.
var whats = []string{"tp", "batch", "rtt", "irr"}

type options struct {
	cpus    [2]int
	samples int
	limit   time.Duration
	only    *regexp.Regexp
	verbose bool
}

type measurement struct {
	name string
	n    int
}

func (o *options) measurements() (ms []measurement) {
	for _, what := range whats {
		for _, v := range variants {
			m := measurement{v.name(what), v.n}
			if what == "rtt" || what == "irr" {
				m.n = roundTrips
			}
			if bench.Registered(m.name) && o.only.MatchString(m.name) {
				ms = append(ms, m)
			}
		}
	}
	return ms
}

func (o *options) run() error {
	var t bench.Tally
	ms, stop := o.measurements(), time.Now().Add(o.limit)
	if len(ms) == 0 {
		return errors.New("-only matches no measurement")
	}
	for time.Now().Before(stop) && !o.enough(&t, ms) {
		if err := o.measure(&t, ms, stop); err != nil {
			return err
		}
	}
	report(&t)
	return nil
}

// measure runs all measurements a few times, one after the other, in a new pair of processes. The first round warms up. A
// measurement that has its samples in the class of the moment is left out; when all have, it waits for another class.
func (o *options) measure(t *bench.Tally, ms []measurement, stop time.Time) error {
	p, err := bench.StartPair(o.cpus, 0)
	if err != nil {
		return err
	}
	defer p.Close()
	class := bench.Class(0)
	for r := range rounds + 1 {
		ran := false
		for _, m := range ms {
			if r > 0 && len(t.Values[class][m.name]) >= o.samples {
				continue
			}
			ran = true
			s, err := p.Sample(m.name, m.n, probeTrips)
			if err != nil {
				return err
			}
			class = s.Class()
			if o.verbose {
				fmt.Printf("# %s %.1f ns, probes %.0f %.0f, switches %d, stolen %d %s\n", m.name, s.Ns, s.Before, s.After, s.Switches, s.Stolen, s.Discard())
			}
			if r > 0 && t.Add(m.name, s) {
				t.Values[class][bench.ProbeName] = append(t.Values[class][bench.ProbeName], s.After)
			}
		}
		for !ran && time.Now().Before(stop) {
			time.Sleep(idle)
			s, err := p.Sample(bench.ProbeName, 1, probeTrips)
			if err != nil {
				return err
			}
			class = s.Class()
			ran = !o.full(t, class, ms)
		}
	}
	return nil
}

func (o *options) full(t *bench.Tally, c bench.Class, ms []measurement) bool {
	for _, m := range ms {
		if len(t.Values[c][m.name]) < o.samples {
			return false
		}
	}
	return true
}

func (o *options) enough(t *bench.Tally, ms []measurement) bool {
	return o.full(t, bench.Siblings, ms) && o.full(t, bench.Near, ms) && o.full(t, bench.Far, ms)
}

func report(t *bench.Tally) {
	fmt.Printf("%s\n%d samples counted, discarded: %v\n", bench.Machine(), t.Accepted, t.Discarded)
	for _, c := range []bench.Class{bench.Siblings, bench.Near, bench.Far} {
		all := t.Values[c]
		if all == nil {
			fmt.Printf("\nclass %s: never seen\n", c)
			continue
		}
		pr := bench.SpreadOf(all[bench.ProbeName])
		fmt.Printf("\nClass %s, raw line round trip %.0f [%.0f–%.0f] ns.\n\n", c, pr.Median, pr.Min, pr.Max)
		fmt.Println("| payload | slots | design | ns per element | | in batches of 32 | | round trip, ns | | round trip at an irregular beat, ns | |")
		fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
		for _, v := range variants {
			row := fmt.Sprintf("| %s | %d | %s |", v.payload, v.slots, v.design)
			seen := false
			for _, what := range whats {
				s := bench.SpreadOf(all[v.name(what)])
				if s.N == 0 {
					row += " – | |"
					continue
				}
				seen = true
				b := v
				b.design = "base"
				row += fmt.Sprintf(" %.1f [%.1f–%.1f] %d |", s.Median, s.Min, s.Max, s.N)
				if o := bench.SpreadOf(all[b.name(what)]); o.N > 0 {
					row += fmt.Sprintf(" %.2f |", o.Median/s.Median)
				} else {
					row += " |"
				}
			}
			if seen {
				fmt.Println(row)
			}
		}
	}
}
