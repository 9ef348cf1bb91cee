//go:build failpoint

package model

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// wander goes one way after another by chance, and audits some of the states on each: for
// worlds too large to be searched whole. A seed gives the same ways.
func (w *world) wander(t *testing.T, seed uint64, ways int) (steps, deaths int) {
	for n := range ways {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		w.reset()
		w.replay = true // nobody compares states here
		var path []choice
		rare := 4 << random.IntN(4) // deaths come early or late
		for w.bad == "" {
			all := w.choices()
			if len(all) == 0 {
				break
			}
			c := all[random.IntN(len(all))]
			if c.kill && random.IntN(rare) > 0 {
				continue
			}
			w.apply(c)
			path = append(path, c)
			if random.IntN(16) == 0 {
				w.audit()
			}
		}
		if w.bad == "" {
			w.audit()
		}
		steps, deaths = steps+len(path), deaths+w.killedN
		if bad := w.bad; bad != "" {
			t.Fatalf("seed %d, way %d: %s\n%s", seed, n, bad, w.tell(path))
		}
	}
	w.reset()
	return steps, deaths
}

// Seats go from consumers to producers and back, and from one death to the next.
func TestWander(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("RINGWAY_SEED"), 10, 64); err == nil {
		seed = v
	}
	ways := 1200
	if v, err := strconv.Atoi(os.Getenv("RINGWAY_WAYS")); err == nil {
		ways = v
	}
	// bequeathed is an heir that may die as well; the name tells them apart.
	bequeathed := func(name string, producer bool, m uint64) *actor {
		a := heir(producer, m)
		a.name, a.mortal = "heir "+name, true
		return a
	}
	for _, slots := range []int{1, 2, 4} {
		for _, ends := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d slots, shutdown %v", slots, ends), func(t *testing.T) {
				actors := []*actor{sender("1", 2, 1, 2, 3), sender("2", 2, 11, 12), taker("1", 4), taker("2", 4), taker("3", 2), reaper(2)}
				for name, producer := range []bool{true, true, true, false, true} {
					actors = append(actors, bequeathed(strconv.Itoa(name), producer, 21+uint64(name)))
				}
				if ends {
					actors = append(actors, ender())
				}
				steps, deaths := newWorld(t, slots, 6, actors...).wander(t, seed, ways)
				t.Logf("seed %d: %d ways, %d steps, %d deaths", seed, ways, steps, deaths)
				if deaths == 0 {
					t.Error("nobody died")
				}
			})
		}
	}
}
