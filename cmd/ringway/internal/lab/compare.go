package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// CompareOptions is what a comparison is told.
type CompareOptions struct {
	Sizes      []int // of messages, in bytes, ascending, each a multiple of 8
	Transports []Transport
	For        time.Duration // of each sample
	Samples    int           // of each measurement, of which the best counts
	Progress   func(done, all int, what string)
}

// CompareResult is all curves and where they cross.
type CompareResult struct {
	For     time.Duration `json:"for_ns"`
	Samples int           `json:"samples"`
	Sizes   []int         `json:"sizes"`
	Curves  []Curve       `json:"transports"`
	Cross   []Crossing    `json:"crossings"`
}

// Curve is one transport over the sizes.
type Curve struct {
	Transport
	Points []Point `json:"points"`
}

// Point is one transport at one size: the best of all samples, since what else the machine
// does only ever slows, and the range they lie in. Where Missing says why, nothing was measured.
type Point struct {
	Size           int        `json:"size"`
	Missing        string     `json:"missing,omitempty"`
	Messages       uint64     `json:"messages"`
	BytesPerSecond float64    `json:"bytes_per_second"`
	BytesRange     [2]float64 `json:"bytes_per_second_range"`
	RoundTrips     uint64     `json:"round_trips"`
	RoundTripNs    float64    `json:"round_trip_ns"` // in each sample half take longer
	RoundTripRange [2]float64 `json:"round_trip_ns_range"`
}

var (
	errTooLarge = errors.New("more than the kernel's limit")
	errNotHere  = errors.New("not available here")
)

// Compare measures every transport at every size. Samples of different transports take
// turns, so that what else the machine does meets all alike.
func Compare(ctx context.Context, o CompareOptions) (CompareResult, error) {
	r := CompareResult{For: o.For, Samples: o.Samples, Sizes: o.Sizes}
	for _, t := range o.Transports {
		r.Curves = append(r.Curves, Curve{Transport: t})
	}
	done, all := 0, len(o.Sizes)*o.Samples*len(r.Curves)
	for _, size := range o.Sizes {
		taken := make([]samples, len(r.Curves))
		for range o.Samples {
			for i := range r.Curves {
				o.Progress(done, all, r.Curves[i].Name)
				done++
				if err := taken[i].take(ctx, r.Curves[i].Name, size, o.For); err != nil {
					return r, fmt.Errorf("%s, messages of %d bytes: %w", r.Curves[i].Name, size, err)
				}
			}
		}
		for i := range r.Curves {
			r.Curves[i].Points = append(r.Curves[i].Points, taken[i].point(size))
		}
	}
	r.Cross = crossings(r.Curves)
	return r, nil
}

// samples are those of one point.
type samples struct {
	missing                 string
	messages, roundTrips    uint64
	bytesPerSecond, medians []float64
}

// take adds a sample of throughput and one of round trips.
func (s *samples) take(ctx context.Context, transport string, size int, spell time.Duration) error {
	if s.missing != "" {
		return nil
	}
	one, err := exchange(ctx, "stream", transport, size, spell)
	var two exchanged
	if err == nil {
		two, err = exchange(ctx, "trip", transport, size, spell)
	}
	if errors.Is(err, errTooLarge) || errors.Is(err, errNotHere) {
		s.missing = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	s.messages, s.roundTrips = s.messages+one.Messages, s.roundTrips+two.Messages
	s.bytesPerSecond = append(s.bytesPerSecond, float64(one.Messages)*float64(size)/(float64(one.To-one.From)/1e9))
	s.medians = append(s.medians, two.Median)
	return nil
}

func (s *samples) point(size int) Point {
	if s.missing != "" {
		return Point{Size: size, Missing: s.missing}
	}
	p := Point{Size: size, Messages: s.messages, RoundTrips: s.roundTrips}
	p.BytesRange = [2]float64{slices.Min(s.bytesPerSecond), slices.Max(s.bytesPerSecond)}
	p.RoundTripRange = [2]float64{slices.Min(s.medians), slices.Max(s.medians)}
	p.BytesPerSecond, p.RoundTripNs = p.BytesRange[1], p.RoundTripRange[0]
	return p
}
