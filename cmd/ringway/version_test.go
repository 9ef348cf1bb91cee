package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	system := " " + runtime.GOOS + "/" + runtime.GOARCH
	module := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.99", Main: debug.Module{Path: "x/ringway", Version: version}, Settings: settings}
	}
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-11-23T10:00:00Z"}, {Key: "vcs.modified", Value: "true"}}
	for _, test := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "ringway of unknown version, " + runtime.Version() + system},
		{module(""), "ringway (devel), go1.99" + system},
		{module("v1.2.3"), "ringway v1.2.3, go1.99" + system},
		{module("(devel)", commit...), "ringway (devel), revision 0123abc of 2026-11-23T10:00:00Z, modified, go1.99" + system},
		{module("v1.2.3", commit[:1]...), "ringway v1.2.3, revision 0123abc, go1.99" + system},
		{module("v0.0.0-2026-0123abc", commit...), "ringway v0.0.0-2026-0123abc, go1.99" + system},
		{module("v0.0.0-20261123100000-0123456789ab+dirty", debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}), "ringway v0.0.0-20261123100000-0123456789ab+dirty, go1.99" + system},
	} {
		if got := version(test.info); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
