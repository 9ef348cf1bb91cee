package shm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"ringway/internal/child"
	"ringway/shm"
)

func init() { child.Register("var-updater", varUpdater) }

// large takes so long to store that a kill mostly comes while it is stored: every word of it
// is the same, and is its version.
type large [1 << 13]uint64

func (l *large) torn() bool {
	for _, w := range l {
		if w != l[0] {
			return true
		}
	}
	return false
}

// arm makes this process kill itself at a failpoint, in a build that has them.
var arm = func(string, int) { panic("no failpoints in this build") }

// varUpdater updates until it is killed, or n times; with a failpoint it kills itself there.
func varUpdater(args []string) {
	v, err := shm.OpenVar[large](args[0])
	if err != nil {
		panic(err)
	}
	if args[1] != "" {
		n, err := strconv.Atoi(args[2])
		if err != nil {
			panic(err)
		}
		arm(args[1], n)
	}
	fmt.Println("ready")
	for {
		err := v.Update(context.Background(), func(l *large) error {
			for i := range l {
				l[i]++
			}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
}

// kills is how many processes die in a test.
func kills(normal int) int {
	if n, err := strconv.Atoi(os.Getenv("RINGWAY_KILLS")); err == nil {
		return n
	}
	return normal
}

// Whoever is killed in an update leaves the old value or the new one, whole, and the next
// update goes on at once.
func TestVarKill(t *testing.T) {
	v, path := createVar[large](t)
	n := kills(60)
	moved, deadline := 0, time.Now().Add(10*child.HangLimit)
	var longest time.Duration
	for i := range n {
		p := child.Start(t, "var-updater", path, "", "")
		q := child.Start(t, "var-updater", path, "", "") // mostly, one of them holds the lock and one waits
		p.Expect("ready")
		q.Expect("ready")
		before := v.Version()
		for hang := time.Now().Add(child.HangLimit); v.Version() == before && time.Now().Before(hang); {
			check(t, v)
		}
		for end := time.Now().Add(time.Duration(rand.IntN(2000)) * time.Microsecond); time.Now().Before(end); {
			check(t, v)
		}
		kill(t, p)
		kill(t, q)
		if v.Version() > before {
			moved++
		}
		check(t, v)
		longest = max(longest, step(t, v))
		if t.Failed() || time.Now().After(deadline) {
			t.Fatalf("after %d of %d", i+1, n)
		}
	}
	if moved < n {
		t.Errorf("in %d of %d rounds nobody updated before it was killed", n-moved, n)
	}
	t.Logf("%d processes killed, in %d of %d rounds amid updates; version %d, whole every time; the update after a kill took at most %v", 2*n, moved, n, v.Version(), longest)
}

// check says if the value is torn, or is not that of its version.
func check(t *testing.T, v *shm.Var[large]) {
	t.Helper()
	for {
		before := v.Version()
		l := v.Load()
		if l.torn() {
			t.Fatalf("version %d is torn", before)
		}
		if v.Version() != before {
			continue // which version it was cannot be told
		}
		if l[0] != before {
			t.Fatalf("version %d holds %d", before, l[0])
		}
		return
	}
}

// step updates once and says how long that took.
func step(t *testing.T, v *shm.Var[large]) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), child.HangLimit)
	defer cancel()
	begin := time.Now()
	err := v.Update(ctx, func(l *large) error {
		if l.torn() {
			t.Error("an update begins with a torn value")
		}
		for i := range l {
			l[i]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	check(t, v)
	return took
}
