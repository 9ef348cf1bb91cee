package ring

import (
	"fmt"
	"testing"
	"time"

	"ringway/internal/child"
)

func init() {
	// scrawl writes damage into a ring until it is killed.
	child.Register("scrawl", func(args []string) {
		s, random := inherited(0), newRand(number(args[0]), 0)
		fmt.Println("ready")
		for {
			scrawl(s, random)
			pauseUpTo(random, 40)
		}
	})
}

// The same with the hostile writer in another process.
func TestHostileProcess(t *testing.T) {
	needSegments(t)
	rounds := 6
	if long() {
		rounds = 600
	}
	seed := seed(t)
	total, worst := map[string]int{}, time.Duration(0)
	for n := range rounds {
		random := newRand(seed, uint64(n))
		s := hostileRing(t, random)
		p := startOn(t, s, "scrawl", random.Uint64())
		p.Expect("ready")
		seen, took := hostile(t, s, random.Uint64(), func(time.Time) {})
		p.Kill()
		s.Close()
		worst = max(worst, took)
		for what, n := range seen {
			total[what] += n
		}
	}
	t.Logf("%d rounds, %v, worst call %v", rounds, total, worst)
}
