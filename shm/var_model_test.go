//go:build linux

package shm_test

import "testing"

// The protocol of a variable at toy size, in every interleaving: an updater that may die
// before any step, after which the next one begins, and a reader. A value is two words, in
// update n both are n. The words of a copy are stored, and loaded, in either order: nothing orders them
// among themselves; only what release and acquire order stays in order.
type varModel struct {
	copies      int  // 2 in the real one
	versionLast bool // the version is stored after the words
	lookAgain   bool // the reader looks at the version twice

	torn, accepted, deaths int
	seen                   map[varState]bool
}

type varState struct {
	version          int
	words            [2][2]int
	updates, updater int // completed or given up; steps done in this one
	stored           [2]bool
	reader           int // steps done
	began            int
	loaded           [2]bool
	got              [2]int
}

const modelUpdates = 4

func (m *varModel) run(s varState) {
	if m.seen[s] {
		return
	}
	m.seen[s] = true
	if s.updates < modelUpdates {
		m.update(s)
		if s.updater > 0 { // it dies here, and another one begins
			n := s
			n.updates, n.updater, n.stored = s.updates+1, 0, [2]bool{}
			m.deaths++
			m.run(n)
		}
	}
	m.read(s)
}

func (m *varModel) update(s varState) {
	// The number of this update is what the version will be, as an updater that died did not count.
	next := s.version + 1
	published := !m.versionLast && s.updater > 0
	if published {
		next = s.version
	}
	words := s.stored[0] && s.stored[1]
	if !m.versionLast && s.updater == 0 || m.versionLast && words {
		n := s
		n.version++
		n.updater++
		if m.versionLast {
			n.updates, n.updater, n.stored = s.updates+1, 0, [2]bool{}
		}
		m.run(n)
		return
	}
	if published && words {
		n := s
		n.updates, n.updater, n.stored = s.updates+1, 0, [2]bool{}
		m.run(n)
		return
	}
	for w := range 2 {
		if !s.stored[w] {
			n := s
			n.words[next%m.copies][w] = next
			n.stored[w] = true
			n.updater++
			m.run(n)
		}
	}
}

func (m *varModel) read(s varState) {
	n := s
	switch {
	case s.reader == 0:
		n.reader, n.began = 1, s.version
		m.run(n)
	case !s.loaded[0] || !s.loaded[1]:
		for w := range 2 {
			if n = s; !s.loaded[w] {
				n.loaded[w], n.got[w] = true, s.words[s.began%m.copies][w]
				m.run(n)
			}
		}
	case m.lookAgain && s.version != s.began: // begin anew
		n.reader, n.began, n.loaded, n.got = 0, 0, [2]bool{}, [2]int{}
		m.run(n)
	default:
		m.accepted++
		if s.got != [2]int{s.began, s.began} {
			m.torn++
		}
	}
}

func TestVarModel(t *testing.T) {
	for name, c := range map[string]struct {
		model varModel
		good  bool
	}{
		"the protocol":         {varModel{copies: 2, versionLast: true, lookAgain: true}, true},
		"one copy":             {varModel{copies: 1, versionLast: true, lookAgain: true}, false},
		"version before words": {varModel{copies: 2, lookAgain: true}, false},
		"one look only":        {varModel{copies: 2, versionLast: true}, false},
	} {
		m := c.model
		m.seen = map[varState]bool{}
		m.run(varState{})
		if m.accepted == 0 || m.deaths == 0 || (m.torn == 0) != c.good {
			t.Errorf("%s: %d reads accepted, %d of them torn, %d deaths", name, m.accepted, m.torn, m.deaths)
		}
		t.Logf("%s: %d states, %d deaths, %d reads accepted, %d torn", name, len(m.seen), m.deaths, m.accepted, m.torn)
	}
}
