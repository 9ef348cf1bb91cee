package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringway/cmd/ringway/internal/lab"
)

func TestLabCompare(t *testing.T) {
	r := labJSON[compareFacts](t, "compare", "--for", "2ms", "--samples", "1", "--sizes", "256KiB,72")
	if !slices.Equal(r.Sizes, []int{72, 256 << 10}) || len(r.Curves) != len(lab.Transports) {
		t.Fatalf("sizes %v, %d transports", r.Sizes, len(r.Curves))
	}
	shared, passing := 0, 0
	for i, c := range r.Curves {
		if c.Shared {
			shared++
		} else {
			passing++
		}
		if c.Name != lab.Transports[i].Name || len(c.Points) != len(r.Sizes) {
			t.Fatalf("%s: %+v", c.Name, c)
		}
		for k, p := range c.Points {
			if p.Missing != "" && c.Name != "mq" {
				t.Errorf("%s has nothing at %d bytes: %s", c.Name, p.Size, p.Missing)
			}
			if p.Size != r.Sizes[k] || (p.Missing == "") != (p.Messages > 0 && p.BytesPerSecond > 0 && p.RoundTrips > 0 && p.RoundTripNs > 0) {
				t.Errorf("%s: %+v", c.Name, p)
			}
		}
	}
	if len(r.Cross) != 2*shared*passing {
		t.Errorf("%d crossings for %d and %d transports", len(r.Cross), shared, passing)
	}
}

// The pictures are well-formed and show every transport.
func TestLabCompareDraws(t *testing.T) {
	dir := t.TempDir()
	svg, page := filepath.Join(dir, "c.svg"), filepath.Join(dir, "c.html")
	a := call(t, "", "lab", "compare", "--for", "1ms", "--samples", "1", "--sizes", "64,4KiB", "--transports", "pipe,ring", "--svg", svg, "--html", page).ok(t, "compare")
	if !strings.Contains(a.stdout, "R ring, P pipe") || !strings.Contains(a.stdout, "ring against pipe") {
		t.Errorf("no plot: %s", a.stdout)
	}
	for l := range strings.Lines(a.stdout) {
		if n := len([]rune(strings.TrimRight(l, "\n"))); n > 110 {
			t.Errorf("a line has %d columns: %s", n, l)
		}
	}
	picture, err := os.ReadFile(svg)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(string(picture), "<circle"); n != 2*2*2 {
		t.Errorf("%d points drawn, want 8", n)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "<svg") || !strings.Contains(string(text), "ring against pipe") {
		t.Errorf("the page lacks the picture or the figures: %s", text)
	}
}

func TestLabCompareWrongUse(t *testing.T) {
	dir := t.TempDir()
	labWrongUse(t, []wrongUse{
		{"compare --for 1us", "--for 1µs is out of range"},
		{"compare --samples 0", "--samples 0 is out of range"},
		{"compare --sizes 7", "not a multiple of 8; use 8"},
		{"compare --sizes many", "is no size"},
		{"compare --sizes 1GiB", "at most 256MiB"},
		{"compare --sizes=", "--sizes"},
		{"compare --transports pigeon", `--transports must be of`},
		{"compare --svg " + dir, "is a directory"},
		{"compare --html " + dir + "/none/c.html", "there is no directory"},
	})
}
