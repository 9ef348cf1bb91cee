package model

import (
	"fmt"
	"strings"
	"testing"
)

// explore visits every state that can be reached from start. bad says what is wrong
// with a state, given whether nothing can happen any more; explore returns the first
// complaint with the way there.
func explore[S comparable](start S, next func(S) []S, bad func(s S, final bool) string) (states int, complaint string) {
	from := map[S]S{start: start}
	todo := []S{start}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		steps := next(s)
		if what := bad(s, len(steps) == 0); what != "" {
			return len(from), what + way(from, s)
		}
		for _, n := range steps {
			if _, seen := from[n]; !seen {
				from[n] = s
				todo = append(todo, n)
			}
		}
	}
	return len(from), ""
}

// way prints the states that lead to s.
func way[S comparable](from map[S]S, s S) string {
	var lines []string
	for {
		lines = append(lines, fmt.Sprintf("\n\t%+v", s))
		before := from[s]
		if before == s {
			break
		}
		s = before
	}
	var b strings.Builder
	for i := len(lines) - 1; i >= 0; i-- {
		b.WriteString(lines[i])
	}
	return b.String()
}

// holds fails the test if the model breaks.
func holds[S comparable](t *testing.T, name string, start S, next func(S) []S, bad func(S, bool) string) {
	t.Helper()
	states, complaint := explore(start, next, bad)
	if complaint != "" {
		t.Errorf("%s: %s", name, complaint)
	}
	t.Logf("%s: %d states", name, states)
}

// breaks fails the test if a mutant does not.
func breaks[S comparable](t *testing.T, name string, start S, next func(S) []S, bad func(S, bool) string) {
	t.Helper()
	states, complaint := explore(start, next, bad)
	if complaint == "" {
		t.Errorf("the mutant %q passes, %d states", name, states)
		return
	}
	what, _, _ := strings.Cut(complaint, "\n")
	t.Logf("mutant %q: %s, after %d states and %d steps", name, what, states, strings.Count(complaint, "\n")-1)
}
