// Package report draws reports of the bench: one HTML page that needs nothing from elsewhere, and the plots alone. Only the
// command line imports it, for the sake of gonum/plot.
package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"ringway/bench"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"svg": func(s string) template.HTML { return template.HTML(s) }, // made here, by gonum
	"ns":  func(ns float64) string { return orDash(ns, duration) },
	"lat": func(ns int64) string { return orDash(float64(ns), duration) },
	"num": func(v float64) string { return orDash(v, short) },
	"mps": func(ns float64) string { return orDash(ns, func(ns float64) string { return short(1e3 / ns) }) },
	"few": func(n int) bool { return n < enough },
}).Parse(pageText))

// enough is the fewest samples whose median is quoted without a mark.
const enough = 7

func orDash(v float64, show func(float64) string) string {
	if v == 0 {
		return "–"
	}
	return show(v)
}

// HTML writes the reports as one page: the plots of all rows together, then all figures.
func HTML(w io.Writer, reports ...*bench.Report) error {
	rows := rowsOf(reports)
	all, err := sections(rows)
	if err != nil {
		return err
	}
	data := struct {
		Reports  []*bench.Report
		Sections []section
		Rows     []bench.Row
	}{reports, all, rows}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("cannot write the page: %w", err)
	}
	return nil
}

// Plots returns the plots of the page, to be files of their own.
func Plots(reports ...*bench.Report) (plots []Plot, err error) {
	all, err := sections(rowsOf(reports))
	for _, s := range all {
		plots = append(plots, s.Plots...)
	}
	return plots, err
}

// rowsOf joins the rows of all reports, in the order of their cases.
func rowsOf(reports []*bench.Report) (rows []bench.Row) {
	place := map[string]int{}
	for i, c := range bench.Cases() {
		place[c.Name] = i + 1
	}
	for _, r := range reports {
		rows = append(rows, r.Rows...)
	}
	slices.SortStableFunc(rows, func(a, b bench.Row) int {
		return cmp.Or(cmp.Compare(b2i(strings.HasPrefix(a.Case, peersPrefix)), b2i(strings.HasPrefix(b.Case, peersPrefix))),
			cmp.Compare(place[a.Case], place[b.Case]))
	})
	return rows
}
