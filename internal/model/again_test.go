//go:build !failpoint

package model

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"ringway/internal/race"
)

// TestExchange searches the code itself, which needs its failpoints: it builds this
// package again with them.
func TestExchange(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the package again; skipped with -short")
	}
	if race.Enabled {
		t.Skip("it is built without the race detector in any case; skipped with -race")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go tool to build with failpoints: ", err)
	}
	limit := 9 * time.Minute // no measure: it takes 45 s of a free processor
	if os.Getenv("RINGWAY_LONG") != "" {
		limit = time.Hour
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "test", "-tags", "failpoint", "-count=1", "-timeout", limit.String(), "-run", "^(TestExchange|TestWander)$", "-v", ".").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
