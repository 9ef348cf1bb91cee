package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version says which build this is, as far as the build wrote it down.
func version(info *debug.BuildInfo) string {
	text := "ringway"
	if info == nil {
		return fmt.Sprintf("%s of unknown version, %s %s/%s", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	}
	module := info.Main.Version
	if module == "" {
		module = "(devel)"
	}
	text += " " + module
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	// A pseudo-version has the first 12 digits of it, and says +dirty.
	if revision := set["vcs.revision"]; revision != "" && !strings.Contains(module, revision[:min(12, len(revision))]) {
		text += ", revision " + revision
		if at := set["vcs.time"]; at != "" {
			text += " of " + at
		}
		if set["vcs.modified"] == "true" {
			text += ", modified"
		}
	}
	return fmt.Sprintf("%s, %s %s/%s", text, info.GoVersion, runtime.GOOS, runtime.GOARCH)
}

// ourVersion is version of this program.
func ourVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = nil
	}
	return version(info)
}
