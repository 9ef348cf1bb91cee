package main

import (
	"os/exec"
	"testing"
)

// A verb that moves messages refuses to move them from or to a descriptor that is closed; what leads to
// /dev/null on purpose is none of its business.
func TestClosedStandardFiles(t *testing.T) {
	path := newRing(t)
	shell := func(redirect string, args ...string) answer {
		cmd := ringway(t, args...)
		sh := exec.Command("sh", append([]string{"-c", `exec "$0" "$@" ` + redirect, cmd.Path}, args...)...)
		sh.Env, sh.SysProcAttr = cmd.Env, cmd.SysProcAttr
		return finish(t, start(t, sh))
	}
	call(t, "one\n", "send", path, "--shutdown-at-eof").ok(t, "send")
	for _, mode := range []string{"--lines", "--raw"} {
		shell(">&-", "recv", path, mode).want(t, "recv "+mode+" >&-", exitFailed, "^ringway recv: standard output is closed, or .*> /dev/null.*\n$")
		other := newRing(t)
		shell("<&-", "send", other, mode, "--shutdown-at-eof").want(t, "send "+mode+" <&-", exitFailed, "^ringway send: standard input is closed, or .*< /dev/null.*\n$")
		call(t, "", "stat", other).ok(t, "stat").matches(t, "the ring that nothing was sent to", `(?m)^state +open$`)
	}
	if a := call(t, "", "recv", path).ok(t, "recv"); a.stdout != "one\n" {
		t.Errorf("then recv printed %q, want what was not taken before", a.stdout)
	}
	shell("1<>/dev/null", "recv", path).want(t, "recv 1<>/dev/null", exitFailed, "is /dev/null opened for reading as well")
	again := newRing(t)
	call(t, "one\n", "send", again, "--shutdown-at-eof").ok(t, "send")
	shell("> /dev/null", "recv", again).ok(t, "recv > /dev/null")
	shell("< /dev/null", "send", newRing(t)).ok(t, "send < /dev/null")
}
