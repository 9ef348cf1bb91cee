//go:build linux

package shm_test

import "fmt"

// world is the reference: what segments are and who has them, in a few lines.
type world struct {
	name  *one // what the path leads to
	procs [3]struct {
		has    *one
		closed bool
		lived  bool // has done anything yet
	}
}

type one struct {
	users, uses int
	marked      bool
}

// abandoned clears away what a killed last user left, as create, open and sweep do.
func (w *world) abandoned() bool {
	if w.name == nil || !w.name.marked || w.name.users > 0 {
		return false
	}
	w.name = nil
	return true
}

// do returns what an operation of a process must say; ok is false if it makes no sense: it
// needs a handle, or has one.
func (w *world) do(proc int, what string) (says string, ok bool) {
	p := &w.procs[proc]
	open := p.has != nil && !p.closed
	switch what {
	case "create", "create-marked", "open":
		if open {
			return "", false // a second handle of one process is a process of its own to a segment
		}
		gone := w.abandoned()
		switch {
		case what == "open" && (gone || w.name == nil):
			return "nothing", true
		case what != "open" && w.name != nil:
			return "exists", true
		case what != "open":
			w.name = &one{marked: what == "create-marked"}
		}
		p.has, p.closed = w.name, false
		w.name.users++
	case "use", "mark":
		switch {
		case p.has == nil:
			return "", false
		case p.closed:
			return "closed", true
		case what == "mark":
			p.has.marked = true
		default:
			p.has.uses++
			return fmt.Sprint(p.has.uses, " ok"), true
		}
	case "close":
		if p.has == nil {
			return "", false
		}
		if open {
			p.closed = true
			w.left(p.has, true)
		}
	case "kill":
		if !open {
			return "", false
		}
		w.left(p.has, false)
		p.has = nil
	case "remove":
		if w.name == nil {
			return "nothing", true
		}
		w.name = nil
	case "sweep":
		switch {
		case w.abandoned():
			return "true ok", true
		case w.name == nil:
			return "false nothing", true
		}
		return "false ok", true
	}
	return "ok", true
}

func (w *world) left(s *one, orderly bool) {
	if s.users--; orderly && s.users == 0 && s.marked && w.name == s {
		w.name = nil
	}
}

var operations = []string{"create", "create-marked", "open", "use", "close", "mark", "kill", "remove", "sweep"}

type act struct {
	proc int
	what string
}

func (o act) String() string { return fmt.Sprintf("%d:%s", o.proc, o.what) }

// every calls f with all sequences of a length that make sense. Processes are alike, so the
// first to act is 0, the next that is new is 1.
func every(n int, f func([]act)) {
	var walk func(seq []act)
	walk = func(seq []act) {
		if len(seq) == n {
			f(seq)
			return
		}
		fresh := 0
		for _, o := range seq {
			fresh = max(fresh, o.proc+1)
		}
		for proc := range min(fresh+1, 3) {
			for _, what := range operations {
				if (what == "remove" || what == "sweep") && proc > 0 {
					continue // it is the same whoever does it
				}
				next := append(seq[:len(seq):len(seq)], act{proc, what})
				if sensible(next) {
					walk(next)
				}
			}
		}
	}
	walk(nil)
}

func sensible(seq []act) bool {
	var w world
	for _, o := range seq {
		if _, ok := w.do(o.proc, o.what); !ok {
			return false
		}
	}
	return true
}
