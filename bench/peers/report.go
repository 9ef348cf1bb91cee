//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"ringway/bench"
)

// report is what a run leaves behind.
type report struct {
	Command string        `json:"command"`
	Machine string        `json:"machine"`
	Begun   string        `json:"begun"`
	About   string        `json:"about"`
	Groups  []reportGroup `json:"groups"`
	Missing []missingPeer `json:"missing"`
}

type reportGroup struct {
	Name  string      `json:"name"`
	About string      `json:"about"`
	Rows  []reportRow `json:"rows"`
}

type reportRow struct {
	Peer    string  `json:"peer"`
	Regime  string  `json:"regime"`
	Ns      float64 `json:"ns"` // median, per element or round trip
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Samples int     `json:"samples"`
	Probe   float64 `json:"probe"`             // median of the raw round trips after the samples
	Ratio   float64 `json:"ringway,omitempty"` // the peer's median by that of the first Ringway row, same regime
	Failed  int     `json:"failed,omitempty"`  // runs that did not finish
	Note    string  `json:"failure,omitempty"` // what the last of them said
}

const aboutReport = "ns per element (round trip in the tables of that name); ringway is the peer's median by that of Ringway's first row in the same regime, above 1: Ringway is faster. Regimes are placements of the two CPUs, from the raw round trip of two cache lines: S siblings, N near, F far, - any."

// summary makes the report from what was sampled so far.
func (r *runner) summary(h head, command string) report {
	rep := report{Command: command, Machine: h.Machine, Begun: h.Begun, About: aboutReport, Missing: r.missing}
	for _, g := range groups() {
		g = r.present(g)
		rg := reportGroup{Name: g.name, About: g.about}
		for _, regime := range []string{"S", "N", "F", wholeRegime} {
			rg.Rows = append(rg.Rows, r.rows(g, regime)...)
		}
		for _, c := range g.competitors {
			if n := r.failures(g, c); n > 0 {
				rg.note(c.name, n, r.lastFailure(g, c))
			}
		}
		if len(rg.Rows) > 0 {
			rep.Groups = append(rep.Groups, rg)
		}
	}
	return rep
}

// note adds the failures to the peer's rows, or a row of its own.
func (g *reportGroup) note(peer string, n int, why string) {
	found := false
	for i := range g.Rows {
		if g.Rows[i].Peer == peer {
			g.Rows[i].Failed, g.Rows[i].Note, found = n, why, true
		}
	}
	if !found {
		g.Rows = append(g.Rows, reportRow{Peer: peer, Failed: n, Note: why})
	}
}

func (r *runner) lastFailure(g group, c competitor) (why string) {
	for _, s := range r.journal.of(g.name) {
		if s.Peer == c.name && s.Failed != "" {
			why = s.Failed
		}
	}
	return why
}

func (r *runner) rows(g group, regime string) (rows []reportRow) {
	base := 0.0
	for _, c := range g.competitors {
		var ns, probes []float64
		for _, s := range r.journal.of(g.name) {
			if s.Peer == c.name && s.Regime == regime {
				ns, probes = append(ns, s.Ns), append(probes, s.Probe)
			}
		}
		if len(ns) < minSamples {
			if base == 0 {
				return nil // too few of Ringway to compare with
			}
			continue
		}
		v := bench.SpreadOf(ns)
		if base == 0 {
			base = v.Median
		}
		rows = append(rows, reportRow{Peer: c.name, Regime: regime, Ns: round(v.Median), Min: round(v.Min), Max: round(v.Max),
			Samples: v.N, Probe: round(bench.SpreadOf(probes).Median), Ratio: round(v.Median / base)})
	}
	return rows
}

// minSamples is the fewest a median is quoted of.
const minSamples = 7

// round keeps three digits or so.
func round(v float64) float64 {
	f := 1.0
	for range 6 {
		if v*f >= 100 {
			break
		}
		f *= 10
	}
	return float64(int64(v*f+0.5)) / f
}

// digits never uses an exponent.
func digits(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (r report) save(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// table prints the report as Markdown.
func (r report) table(w io.Writer) {
	fmt.Fprintf(w, "# Ringway and its peers\n\n`%s`\n\n%s\n\nBegun %s. %s\n", r.Command, r.Machine, r.Begun, r.About)
	for _, g := range r.Groups {
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n| peer | regime | ns, median [min–max] of n | × Ringway |\n|---|---|---|---|\n", g.Name, g.About)
		for _, row := range g.Rows {
			figures, ratio := "none", ""
			if row.Samples > 0 {
				figures = fmt.Sprintf("%s [%s–%s] of %d", digits(row.Ns), digits(row.Min), digits(row.Max), row.Samples)
				ratio = fmt.Sprintf("%.2f", row.Ratio)
			}
			if row.Failed > 0 {
				figures += fmt.Sprintf("; %d failed, the last: %s", row.Failed, row.Note)
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", row.Peer, row.Regime, figures, ratio)
		}
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(w, "\n## Not measured\n\n")
		missing := slices.Clone(r.Missing)
		for _, m := range missing {
			fmt.Fprintf(w, "- %s: %s\n", m.Peer, m.Todo)
		}
	}
}
