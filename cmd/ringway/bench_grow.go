package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"ringway/bench"
)

// growthWidth is the characters of the longest bar.
const growthWidth = 24

// growth prints a curve for each of what grows: size of the elements, who and class.
func (o *benchOptions) growth(w io.Writer, rows []bench.Row) {
	type curve struct {
		axis, by, regime string
		size             int
	}
	curves := map[curve][]bench.Row{}
	var order []curve
	for _, r := range rows {
		axis, _, ok := r.Growth()
		if !ok || r.Median <= 0 {
			continue
		}
		k := curve{axis, r.By, r.Regime, r.Size}
		if curves[k] == nil {
			order = append(order, k)
		}
		curves[k] = append(curves[k], r)
	}
	if len(order) > 0 {
		fmt.Fprint(w, "\nCOST AS IT GROWS\tBYTES\tBY\tCLASS\tSAMPLES\tMEDIAN\tMIN\tMAX\t× FIRST\t× STREAM\t\n")
	}
	for _, k := range order {
		most := 0.0
		for _, r := range curves[k] {
			most = max(most, r.Median)
		}
		for _, r := range curves[k] {
			axis, step, _ := r.Growth()
			fmt.Fprintf(w, "%s=%d%s\t%d\t%s\t%s\t%d%s\t%s\t%s\t%s\t%s\t%s\t%s\n", axis, step, o.crowd(r), r.Size, r.By, r.Regime, r.Samples, o.few(r),
				nanoseconds(r.Median), nanoseconds(r.Min), nanoseconds(r.Max), digits(r.Median/curves[k][0].Median), digits(r.XLimit),
				strings.Repeat("#", max(int(math.Round(growthWidth*r.Median/most)), 1)))
		}
	}
}

// few marks a row of fewer samples than wanted, crowd one of more processes than CPUs.
func (o *benchOptions) few(r bench.Row) string {
	if r.Samples < o.samples {
		return "*"
	}
	return ""
}

func (o *benchOptions) crowd(r bench.Row) string {
	if r.Crowded {
		return " (oversubscribed)"
	}
	return ""
}
