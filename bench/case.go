package bench

import (
	"fmt"
	"regexp"
	"strings"
)

// with names a case, by its place and what it varies.
func (c Case) with(format string, args ...any) Case {
	c.Name = fmt.Sprintf(format, args...) + fmt.Sprintf("/size=%s", bytesName(c.Size))
	switch {
	case c.Slots > 0:
		c.Name += fmt.Sprintf("/slots=%d", c.Slots)
	case c.Ring > 0:
		c.Name += "/ring=" + bytesName(c.Ring)
	}
	return c
}

func (c Case) rate(perSecond int) Case {
	c.Name += fmt.Sprintf("/rate=%d", perSecond)
	return c
}

func (c Case) by(scenario string) Case { return c.other("ringway", scenario) }

func (c Case) other(name, scenario string) Case {
	c.By = append(c.By[:len(c.By):len(c.By)], Entrant{Name: name, Ask: scenario})
	return c
}

func (c Case) native(name, command string) Case {
	c.By = append(c.By[:len(c.By):len(c.By)], Entrant{Name: name, Native: command})
	return c
}

// timed adds the scenario that times each operation; alone, it is the only one.
func (c Case) timed(scenario string) Case {
	if len(c.By) == 0 {
		c.By = []Entrant{{Name: "ringway"}}
	}
	c.By = append(c.By[:0:0], c.By...)
	c.By[len(c.By)-1].Timed = scenario
	return c
}

// bytesName writes a size without loss: 8, 1KiB, 1MiB.
func bytesName(n int) string {
	for i, unit := range []string{"MiB", "KiB"} {
		if size := 1 << (20 - 10*i); n >= size && n%size == 0 {
			return fmt.Sprint(n/size) + unit
		}
	}
	return fmt.Sprint(n)
}

// Group is the part of the name before the first slash, which is the name of the Go benchmark.
func (c Case) Group() string { return strings.SplitN(c.Name, "/", 2)[0] }

// Crowded reports whether there are more sides than CPUs.
func (c Case) Crowded(cpus int) bool { return c.Sides > cpus }

// Select returns the cases that match a pattern the way go test -bench does: regular expressions separated by slashes, one
// for each part of the name, those left out matching everything.
func Select(cases []Case, pattern string) ([]Case, error) {
	var parts []*regexp.Regexp
	for text := range strings.SplitSeq(pattern, "/") {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		parts = append(parts, re)
	}
	var found []Case
	for _, c := range cases {
		if matches(strings.Split(c.Name, "/"), parts) {
			found = append(found, c)
		}
	}
	return found, nil
}

func matches(name []string, parts []*regexp.Regexp) bool {
	for i, re := range parts {
		if i >= len(name) || !re.MatchString(name[i]) {
			return false
		}
	}
	return true
}
