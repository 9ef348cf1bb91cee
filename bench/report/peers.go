package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"ringway/bench"
)

// peersReport is what bench/peers writes: tables in which Ringway and its peers did the same work in one run.
type peersReport struct {
	Command, Machine string
	Groups           []struct {
		Name, About string
		Rows        []struct {
			Peer, Regime        string
			Ns, Min, Max, Probe float64
			Samples             int
		}
	}
}

// Read reads a report of the bench, or one of bench/peers, whose tables become cases named peers/TABLE.
func Read(in io.Reader) (*bench.Report, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	own, err := bench.ReadReport(strings.NewReader(string(text)))
	if err == nil {
		return own, nil
	}
	var p peersReport
	if json.Unmarshal(text, &p) != nil || len(p.Groups) == 0 {
		return nil, err // says what was expected
	}
	r := &bench.Report{Format: bench.Format, Machine: p.Machine, Command: p.Command}
	for _, g := range p.Groups {
		size := sizeIn(g.Name)
		if size == 0 {
			return nil, fmt.Errorf("the table %q of a report of peers names no size", g.Name)
		}
		for _, row := range g.Rows {
			if row.Samples == 0 {
				continue // did not finish
			}
			one := bench.Row{Case: peersPrefix + g.Name, What: bench.Throughput, By: row.Peer, Regime: row.Regime, Size: size,
				Samples: row.Samples, Min: row.Min, Median: row.Ns, Max: row.Max, Probe: row.Probe}
			if one.Regime == "-" {
				one.Regime = bench.Any.String()
			}
			if strings.Contains(strings.ToLower(g.Name), "round trip") {
				one.What, one.XProbe = bench.RoundTrip, row.Ns/row.Probe
			} else if one.Median > 0 {
				one.MBs = float64(size) / one.Median * 1e3
			}
			r.Rows = append(r.Rows, one)
		}
	}
	if len(r.Rows) == 0 {
		return nil, errors.New("no row of the report of peers has a figure")
	}
	return r, nil
}

const peersPrefix = "peers/"

var sizePattern = regexp.MustCompile(`(\d+) (KiB|MiB|B)\b`)

// sizeIn finds a size such as 64 KiB in the name of a table, in bytes.
func sizeIn(name string) int {
	m := sizePattern.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n << map[string]int{"B": 0, "KiB": 10, "MiB": 20}[m[2]]
}
