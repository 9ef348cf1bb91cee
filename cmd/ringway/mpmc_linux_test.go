package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Several senders and receivers on one ring: every line arrives once, a full ring makes
// senders wait, and the end comes when all is drained.
func TestManySendersAndReceivers(t *testing.T) {
	for _, slots := range []string{"1", "8"} {
		path := newRing(t, "--kind", "mpmc", "--slots", slots, "--max-msg", "64")
		const senders, each = 3, 200
		var want []string
		var sending, receiving []*process
		for range 2 {
			receiving = append(receiving, start(t, ringway(t, "recv", path)))
		}
		for i := range senders {
			var in strings.Builder
			for k := range each {
				line := fmt.Sprintf("%d-%d", i, k)
				want = append(want, line)
				fmt.Fprintln(&in, line)
			}
			cmd := ringway(t, "send", path)
			cmd.Stdin = strings.NewReader(in.String())
			sending = append(sending, start(t, cmd))
		}
		for _, p := range sending {
			finish(t, p).ok(t, "send")
		}
		call(t, "", "check", path).ok(t, "check")
		call(t, "", "shutdown", path).ok(t, "shutdown")
		var got []string
		for _, p := range receiving {
			a := finish(t, p)
			a.ok(t, "recv")
			got = append(got, strings.Fields(a.stdout)...)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s slots: %d lines arrived, %d were sent", slots, len(got), len(want))
		}
		if a := call(t, "", "check", path); a.status != exitDone || !strings.Contains(a.stdout, "accounted for") {
			t.Errorf("check: %d %s %s", a.status, a.stdout, a.stderr)
		}
	}
}

// Raw bytes, elements and frames through one sender and one receiver.
func TestModesOnMPMC(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 5000)
	for _, c := range []struct{ flags, mode string }{
		{"--kind mpmc --slots 4 --max-msg 1000", "--raw"},
		{"--kind mpmc --slots 4 --payload fixed --elem 16", "--raw"},
		{"--kind mpmc --slots 4 --payload fixed --elem 16 --pack 8", "--raw"},
	} {
		path := newRing(t, strings.Fields(c.flags)...)
		r := start(t, ringway(t, "recv", path, c.mode))
		call(t, text, "send", path, c.mode, "--shutdown-at-eof").ok(t, c.flags)
		a := finish(t, r)
		a.ok(t, c.flags)
		if a.stdout != text {
			t.Errorf("%s: %d bytes arrived, %d were sent, or they differ", c.flags, len(a.stdout), len(text))
		}
	}
}
