package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ringway/shm"
)

// maxName bounds the last part of a path: a file system takes 255 bytes, and
// creating may need a few for a temporary name.
const maxName = 200

// ringPath checks a NAME argument and returns the ring's path.
func ringPath(name string) (string, error) {
	isPath := strings.ContainsRune(name, '/')
	base := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case name == "":
		return "", usagef("NAME is empty; give a name such as ticks, or a path")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", usagef("NAME %q holds control characters or is no UTF-8; use letters, digits, dots and dashes", name)
	case base == "":
		return "", usagef("NAME %q ends with a slash; a ring is a file, give its name too", name)
	case base == "." || base == "..":
		return "", usagef("NAME %q is a directory; a ring is a file, give its name too", name)
	case len(base) > maxName:
		return "", usagef("NAME has %d bytes, at most %d are possible; choose a shorter one", len(base), maxName)
	case strings.HasPrefix(name, shm.SysVPrefix) && !isPath:
		if _, ok := shm.SysVKey(name); !ok {
			return "", usagef("NAME %q has no System V key; write sysv: and a number from 1 to 0xffffffff, as in sysv:0x1234, or ./%s for a file of that name", name, name)
		}
	case !isPath && strings.HasPrefix(name, "-"):
		return "", usagef("NAME %q begins like a flag; choose another, or write ./%s for a file of that name", name, name)
	}
	return shm.Path(name), nil
}

// ringName is the inverse of shm.Path, for display: what a user may type as NAME.
func ringName(path string) string {
	dir, base := filepath.Split(path)
	if name, ok := strings.CutSuffix(base, shm.Ext); ok && filepath.Clean(dir) == shm.Dir && name != "" {
		return name
	}
	return path
}

// completeRing completes a NAME from the rings there are; paths are left to the shell.
func completeRing(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if strings.ContainsRune(typed, '/') {
		return nil, cobra.ShellCompDirectiveDefault
	}
	entries, _ := os.ReadDir(shm.Dir) // no completions then
	all, _ := shm.ListSysV()
	names := slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, typed) })
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), shm.Ext)
		if !ok || !e.Type().IsRegular() || !strings.HasPrefix(name, typed) {
			continue
		}
		if _, err := ringPath(name); err == nil {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNothing is for the NAME of a ring that does not exist yet.
func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}
