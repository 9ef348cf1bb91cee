// Package rules holds the module's structural rules as tests: who may import whom,
// and where unsafe may be used. .golangci.yml says the same to editors.
package rules

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	sys  = "golang.org/x/sys/unix"
	mmap = "github.com/edsrzf/mmap-go"
)

// may lists what the packages of the core import besides the standard library.
// Arrows point downwards only.
func may(module string) map[string][]string {
	return map[string][]string{
		"layout":             {},
		"futex":              {module + "/internal/order", module + "/internal/race", module + "/internal/failpoint", sys},
		"internal/order":     {sys},
		"internal/race":      {},
		"internal/invariant": {},
		"internal/failpoint": {},
		"shm":                {module + "/layout", module + "/futex", module + "/internal/order", module + "/internal/failpoint", sys, mmap},
		"ring": {module + "/layout", module + "/futex", module + "/shm",
			module + "/internal/order", module + "/internal/race", module + "/internal/invariant", module + "/internal/failpoint"},
	}
}

func TestImports(t *testing.T) {
	root, module := moduleRoot(t)
	allowed := may(module)
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		check(t, filepath.ToSlash(rel), name, module, allowed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 30 {
		t.Fatalf("only %d source files found below %s", files, root)
	}
}

func check(t *testing.T, rel, name, module string, allowed map[string][]string) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	list, core := allowed[path.Dir(rel)]
	for _, spec := range f.Imports {
		what := strings.Trim(spec.Path.Value, `"`)
		if what == "unsafe" && !strings.HasSuffix(rel, "_unsafe.go") {
			t.Errorf("%s imports unsafe; put that part into a file named *_unsafe.go", rel)
		}
		std := !strings.Contains(strings.SplitN(what, "/", 2)[0], ".") && what != module && !strings.HasPrefix(what, module+"/")
		if core && !std && !slices.Contains(list, what) {
			t.Errorf("%s imports %s, which package %s may not", rel, what, path.Dir(rel))
		}
		if core && what == "syscall" && !slices.Contains(list, sys) {
			t.Errorf("%s imports syscall, which package %s may not", rel, path.Dir(rel))
		}
	}
}

// moduleRoot finds go.mod above the working directory, and the module's name in it.
func moduleRoot(t *testing.T) (dir, module string) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			for line := range strings.Lines(string(text)) {
				if m, ok := strings.CutPrefix(line, "module "); ok {
					return dir, strings.TrimSpace(m)
				}
			}
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
