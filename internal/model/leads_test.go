package model

import (
	"strings"
	"testing"
)

// reach visits every state and complaint as explore does, and besides that from every state
// there is a way to the goal: nobody can get to where nothing but going round is left.
func reach[S comparable](start S, next func(S) []S, bad func(S, bool) string, goal func(S) bool) (states int, complaint string) {
	from, back := map[S]S{start: start}, map[S][]S{}
	todo, good := []S{start}, []S{}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		steps := next(s)
		if what := bad(s, len(steps) == 0); what != "" {
			return len(from), what + way(from, s)
		}
		if goal(s) {
			good = append(good, s)
		}
		for _, n := range steps {
			back[n] = append(back[n], s)
			if _, seen := from[n]; !seen {
				from[n] = s
				todo = append(todo, n)
			}
		}
	}
	arrives := map[S]bool{}
	for len(good) > 0 {
		s := good[len(good)-1]
		good = good[:len(good)-1]
		if !arrives[s] {
			arrives[s] = true
			good = append(good, back[s]...)
		}
	}
	for s := range from {
		if !arrives[s] {
			return len(from), "a hang: from here nobody gets to the end any more" + way(from, s)
		}
	}
	return len(from), ""
}

// leads fails the test if a state is bad or cannot get to the goal.
func leads[S comparable](t *testing.T, name string, start S, next func(S) []S, bad func(S, bool) string, goal func(S) bool) {
	t.Helper()
	states, complaint := reach(start, next, bad, goal)
	if complaint != "" {
		t.Errorf("%s: %s", name, complaint)
	}
	t.Logf("%s: %d states", name, states)
}

// astray fails the test if a mutant does neither.
func astray[S comparable](t *testing.T, name string, start S, next func(S) []S, bad func(S, bool) string, goal func(S) bool) {
	t.Helper()
	states, complaint := reach(start, next, bad, goal)
	if complaint == "" {
		t.Errorf("the mutant %q passes, %d states", name, states)
		return
	}
	what, _, _ := strings.Cut(complaint, "\n")
	t.Logf("mutant %q: %s, after %d states and %d steps", name, what, states, strings.Count(complaint, "\n")-1)
}
