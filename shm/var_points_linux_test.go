//go:build failpoint

package shm_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
	"ringway/internal/failpoint"
)

func init() {
	arm = func(point string, nth int) {
		failpoint.Hook = func(p failpoint.Point) {
			if p.String() != point {
				return
			}
			if nth--; nth == 0 {
				_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
				forever()
			}
		}
	}
}

// A death at each step of an update leaves what that step promises.
func TestVarFailpoints(t *testing.T) {
	v, path := createVar[large](t)
	n := kills(10)
	for i := range failpoint.VarPoints {
		point := failpoint.Point(failpoint.Points + i)
		for range n {
			check(t, v)
			before := v.Version()
			p := child.Start(t, "var-updater", path, point.String(), "3")
			p.Expect("ready")
			if err := p.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Fatalf("%v: it did not die there: %v", point, err)
			}
			want := before + 2
			if point == failpoint.VarPublished {
				want++
			}
			if got := v.Version(); got != want {
				t.Errorf("killed at %v of the third update: version %d, want %d", point, got-before, want-before)
			}
			check(t, v)
			step(t, v)
		}
	}
	fmt.Printf("%d deaths at each of %d points: every value whole, every later update went on\n", n, failpoint.VarPoints)
}
