//go:build linux

package race

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

func TestMain(m *testing.M) {
	child.Run()
	os.Exit(m.Run())
}

// "hand over" passes Go memory from one goroutine to another through an atomic on
// mapped memory, with or without the hints.
func init() {
	child.Register("hand over", func(args []string) {
		hints := args[0] == "hints"
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
		if err != nil {
			panic(err)
		}
		tail := (*atomic.Uint64)(unsafe.Pointer(&b[0]))
		payload := new(int)
		go func() {
			*payload = 42
			if hints {
				Release()
			}
			tail.Store(1) // publishes *payload to the loop below
		}()
		for tail.Load() == 0 { // observes the store above
		}
		if hints {
			Acquire()
		}
		if *payload != 42 {
			panic("payload not there")
		}
	})
}

// The control shows that the hints are what keeps the detector quiet.
func TestHintsSilenceFalseReports(t *testing.T) {
	for _, c := range []struct {
		arg    string
		report bool
	}{{"hints", false}, {"none", Enabled}} {
		cmd := child.Command("hand over", c.arg)
		cmd.Env = append(cmd.Env, "GORACE=halt_on_error=0 atexit_sleep_ms=0")
		var out strings.Builder
		cmd.Stderr = &out
		err := child.StartCmd(t, cmd).Wait()
		if got := strings.Contains(out.String(), "DATA RACE"); got != c.report || got != (err != nil) {
			t.Errorf("%s: race reported %v, want %v; exit %v\n%s", c.arg, got, c.report, err, out.String())
		}
	}
}
