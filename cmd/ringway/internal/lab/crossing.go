package lab

import "math"

// Measures of a point, by the names they have in crossings.
const (
	Throughput = "throughput"
	RoundTrip  = "round trip"
)

// Crossing says which of two transports is the better one at which sizes.
type Crossing struct {
	Measure string    `json:"measure"`
	Shared  string    `json:"shared"`
	Passing string    `json:"passing"`
	At      []float64 `json:"at_bytes"` // where the lead changes, ascending, interpolated; empty if it does not
	// Ahead at the smallest size of the comparison: "shared", "passing" or, if nowhere one
	// is decisively ahead, "neither".
	First    string  `json:"first"`
	Least    float64 `json:"least"` // how many times as good the shared one is, at its worst
	LeastAt  int     `json:"least_at_bytes"`
	Most     float64 `json:"most"` // and at its best
	MostAt   int     `json:"most_at_bytes"`
	Measured int     `json:"measured"` // sizes at which there are both
}

// decisive is the least factor that counts as a lead: less may be chance.
const decisive = 1.2

// crossings compares every shared transport with every one that passes messages.
func crossings(curves []Curve) []Crossing {
	found := []Crossing{}
	for _, measure := range []string{Throughput, RoundTrip} {
		for _, s := range curves {
			for _, p := range curves {
				if s.Shared && !p.Shared {
					found = append(found, crossing(measure, s, p))
				}
			}
		}
	}
	return found
}

// value returns what a measure is at a point, the more the better, and false if nothing
// was measured.
func (p *Point) value(measure string) (float64, bool) {
	switch {
	case p.Missing != "":
		return 0, false
	case measure == Throughput:
		return p.BytesPerSecond, p.BytesPerSecond > 0
	}
	return 1 / p.RoundTripNs, p.RoundTripNs > 0
}

func crossing(measure string, s, p Curve) Crossing {
	c := Crossing{Measure: measure, Shared: s.Name, Passing: p.Name, At: []float64{}, First: "neither", Least: math.Inf(1)}
	var lastSize, lastLead float64 // of the last decisive size
	for i := range s.Points {
		a, ok := s.Points[i].value(measure)
		b, both := p.Points[i].value(measure)
		if !ok || !both {
			continue
		}
		c.Measured++
		factor, size := a/b, s.Points[i].Size
		if factor < c.Least {
			c.Least, c.LeastAt = factor, size
		}
		if factor > c.Most {
			c.Most, c.MostAt = factor, size
		}
		lead, x := math.Log(factor), math.Log(float64(size))
		if math.Abs(lead) < math.Log(decisive) {
			continue
		}
		if c.First == "neither" {
			c.First = "shared"
			if lead < 0 {
				c.First = "passing"
			}
		} else if lead*lastLead < 0 {
			// Both axes are logarithmic, as in the plot.
			c.At = append(c.At, math.Exp(lastSize+(x-lastSize)*lastLead/(lastLead-lead)))
		}
		lastSize, lastLead = x, lead
	}
	if c.Measured == 0 {
		c.Least = 0 // JSON has no infinity
	}
	return c
}
