//go:build failpoint

package model

import (
	"os"
	"testing"
)

func sender(name string, tries int, msgs ...uint64) *actor {
	return &actor{name: "P" + name, mortal: true, script: func(a *actor) {
		for _, m := range msgs {
			a.send(m, tries)
		}
	}}
}

func taker(name string, times int) *actor {
	return &actor{name: "C" + name, mortal: true, script: func(a *actor) {
		for i := 0; i < times && a.receive(); i++ {
		}
	}}
}

func someDead(w *world) bool { return w.killedN > 0 }

func reaper(times int) *actor {
	return &actor{name: "reaper", ready: someDead, script: func(a *actor) { a.reap(times) }}
}

// heir takes a seat once somebody has died, and acts for it.
func heir(producer bool, m uint64) *actor {
	return &actor{name: "heir", ready: someDead, script: func(a *actor) {
		if a.inherit(producer); producer {
			a.send(m, 1)
			return
		}
		if a.receive() {
			a.receive()
		}
	}}
}

func ender() *actor {
	return &actor{name: "ender", mortal: true, script: (*actor).shutDown}
}

// lasting leaves only one of some actors mortal.
func lasting(actors []*actor, but int) []*actor {
	for i, a := range actors {
		a.mortal = i == but
	}
	return actors
}

// cases are the sizes that are searched whole. The long ones take 10 s (2 slots, 1P 1C,
// shutdown) to 4 min (1 slot, 1P 2C, 1 message, shutdown, 1 death) of processor time each.
var cases = []struct {
	name         string
	slots, kills int
	long         bool
	actors       func() []*actor
}{
	{"1 slot, 1P 1C", 1, 0, false, func() []*actor { return []*actor{sender("", 2, 1, 2), taker("", 3)} }},
	{"2 slots, 1P 1C", 2, 0, false, func() []*actor { return []*actor{sender("", 2, 1, 2), taker("", 3)} }},
	{"1 slot, 1P 1C, 1 death, reaper", 1, 1, false, func() []*actor { return []*actor{sender("", 2, 1, 2), taker("", 3), reaper(1)} }},
	{"2 slots, 1P 1C, 1 death, reaper", 2, 1, false, func() []*actor { return []*actor{sender("", 2, 1, 2), taker("", 3), reaper(1)} }},
	{"1 slot, 1P 1C, 2 deaths, 2 reapers", 1, 2, false, func() []*actor {
		second := reaper(1)
		second.name, second.mortal = "second reaper", true
		return []*actor{sender("", 2, 1, 2), taker("", 2), reaper(1), second}
	}},
	{"1 slot, 2P 1C", 1, 0, false, func() []*actor { return []*actor{sender("1", 1, 1), sender("2", 2, 2), taker("", 2)} }},
	{"2 slots, 2P 1C", 2, 0, false, func() []*actor { return []*actor{sender("1", 1, 1), sender("2", 1, 2), taker("", 2)} }},
	{"1 slot, 2P 1C, 1 death, reaper", 1, 1, true, func() []*actor {
		return []*actor{sender("1", 1, 1), sender("2", 2, 2), taker("", 2), reaper(1)}
	}},
	{"2 slots, 2P 1C, 1 death, reaper", 2, 1, true, func() []*actor {
		return []*actor{sender("1", 1, 1), sender("2", 1, 2), taker("", 2), reaper(1)}
	}},
	{"2 slots, 1P 2C", 2, 0, false, func() []*actor { return []*actor{sender("", 1, 1, 2), taker("1", 1), taker("2", 1)} }},
	{"1 slot, 1P 2C, 1 message, 1 death, reaper", 1, 1, false, func() []*actor {
		return []*actor{sender("", 2, 1), taker("1", 1), taker("2", 1), reaper(1)}
	}},
	{"1 slot, 1P 2C, one call each, 1 death, reaper", 1, 1, true, func() []*actor {
		return []*actor{sender("", 2, 1, 2), taker("1", 1), taker("2", 1), reaper(1)}
	}},
	{"2 slots, 1P 2C, one call each, 1 death, reaper", 2, 1, true, func() []*actor {
		return []*actor{sender("", 1, 1, 2), taker("1", 1), taker("2", 1), reaper(1)}
	}},
	{"1 slot, 2P 1C, one call each, 1 death, reaper", 1, 1, false, func() []*actor {
		return []*actor{sender("1", 1, 1), sender("2", 1, 2), taker("", 2), reaper(1)}
	}},
	{"1 slot, 1P 1C, 1 message, shutdown, 1 death", 1, 1, false, func() []*actor {
		return []*actor{sender("", 1, 1), taker("", 3), ender()}
	}},
	{"1 slot, 1P 2C, 1 message, shutdown, the other consumer dies", 1, 1, true, func() []*actor {
		p, end := sender("", 1, 1), ender()
		victim, heir := taker("1", 1), taker("2", 3)
		p.mortal, end.mortal, heir.mortal = false, false, false
		return []*actor{p, victim, heir, end}
	}},
	{"1 slot, 1P 2C, 1 message, shutdown, 1 death", 1, 1, true, func() []*actor {
		return []*actor{sender("", 1, 1), taker("1", 1), taker("2", 3), ender()}
	}},
	{"1 slot, 1P 2C, 1 death, reaper", 1, 1, true, func() []*actor {
		return []*actor{sender("", 2, 1, 2), taker("1", 2), taker("2", 1), reaper(1)}
	}},
	{"2 slots, 1P 2C, 1 death, reaper", 2, 1, true, func() []*actor {
		return []*actor{sender("", 1, 1, 2), taker("1", 2), taker("2", 1), reaper(1)}
	}},
	{"1 slot, 1P 1C, 1 death, a consumer inherits", 1, 1, false, func() []*actor {
		return []*actor{sender("", 1, 1, 2), taker("", 2), heir(false, 0)}
	}},
	{"1 slot, 1P 1C, 1 death, a producer inherits", 1, 1, false, func() []*actor {
		return []*actor{sender("", 1, 1, 2), taker("", 2), heir(true, 3)}
	}},
	{"1 slot, 1P 1C, 1 message, shutdown", 1, 0, false, func() []*actor {
		return []*actor{sender("", 1, 1), taker("", 2), ender()}
	}},
	{"1 slot, 1P 2C, shutdown, a consumer dies, reaper", 1, 1, false, func() []*actor {
		late, end := taker("2", 1), ender() // both begin when they can still see what the dead one left
		late.ready = func(*world) bool { return end.life == finished }
		end.ready = func(w *world) bool { return w.taken > 0 }
		return lasting([]*actor{sender("", 1, 1), taker("1", 1), late, end, reaper(1)}, 1)
	}},
	{"1 slot, 1P 1C, shutdown", 1, 0, false, func() []*actor {
		return []*actor{sender("", 2, 1, 2), taker("", 3), ender()}
	}},
	{"2 slots, 1P 1C, shutdown", 2, 0, true, func() []*actor {
		return []*actor{sender("", 1, 1, 2, 3), taker("", 3), ender()}
	}},
	{"1 slot, 1P 1C, shutdown, 1 death", 1, 1, true, func() []*actor {
		return []*actor{sender("", 2, 1, 2), taker("", 4), ender()}
	}},
	{"2 slots, 1P 1C, shutdown, 1 death", 2, 1, true, func() []*actor {
		return []*actor{sender("", 1, 1, 2, 3), taker("", 4), ender()}
	}},
	{"2 slots, 2P 1C, shutdown, 1 death", 2, 1, true, func() []*actor {
		return []*actor{sender("1", 1, 1), sender("2", 1, 2), taker("", 3), ender()}
	}},
}

func TestExchange(t *testing.T) {
	long := os.Getenv("RINGWAY_LONG") != ""
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.long && !long {
				t.Skip("a long search: set RINGWAY_LONG=1")
			}
			t.Log(newWorld(t, c.slots, c.kills, c.actors()...).search(t))
		})
	}
}
