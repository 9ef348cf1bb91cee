package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Wrong use is exit status 2, one line that says what to do, and no trace.
func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.ring")
	fixed := newRing(t, "--payload", "fixed", "--elem", "8", "--slots", "16")
	message := newRing(t, "--cap", "4KiB")
	before := listing(t, dir)
	for _, test := range []struct {
		args string // separated by blanks; _ is the ring's path
		says string
	}{
		{"nonsense", `no verb "nonsense"`},
		{"creat _", `did you mean create`},
		{"--nonsense", "unknown flag"},
		{"help nonsense", `no verb "nonsense"`},
		{"completion tcsh", "unknown command"},
		{"completion bash x", "unknown command"},
		{"create", "NAME is missing"},
		{"create _ more", `"more" is one argument too many`},
		{"ls a b", `"b" is one argument too many`},
		{"create .", "is a directory"},
		{"create ..", "is a directory"},
		{"create -- -x", "begins like a flag"},
		{"create " + strings.Repeat("n", 201), "has 201 bytes, at most 200"},
		{"create a\x01b", "control characters"},
		{"create a\xffb", "no UTF-8"},
		{"create _/", "ends with a slash"},
		{"create _ --nonsense", "unknown flag: --nonsense"},
		{"create _ --json=7", `invalid argument "7" for "--json" flag: it is true or false`},
		{"create _ --cap", "flag needs an argument"},
		{"create _ --cap many", "is no size"},
		{"create _ --cap 0", "more than 0"},
		{"create _ --cap -64", "is no size"},
		{"create _ --cap 1.5MiB", "is no size"},
		{"create _ --cap 1,024", "is no size"},
		{"create _ --cap 1e6", "is no size"},
		{"create _ --cap 0x1000", "is no size"},
		{"create _ --cap 64kibi", "is no size"},
		{"create _ --cap 100KiB", "not a power of two; use 64KiB or 128KiB"},
		{"create _ --cap 64kB", "not a power of two; use 32KiB or 64KiB"},
		{"create _ --cap 32", "capacity must be 64 to"},
		{"create _ --cap 8GiB", "capacity must be 64 to"},
		{"create _ --cap 16EiB", "too large"},
		{"create _ --cap 8EiB", "too large"},
		{"create _ --cap 99999999999999999999999999", "too large"},
		{"create _ --kind ring", "--kind must be spsc or mpmc"},
		{"create _ --payload bytes", "--payload must be message or fixed"},
		{"create _ --fence none", "--fence must be auto"},
		{"create _ --slots 64", "use --cap"},
		{"create _ --elem 8", "--elem needs --payload fixed"},
		{"create _ --payload fixed", "needs --elem"},
		{"create _ --payload fixed --elem 0", "more than 0"},
		{"create _ --payload fixed --elem 2GiB", "element size must be"},
		{"create _ --payload fixed --elem 8 --cap 1MiB", "--cap is for spsc message rings"},
		{"create _ --payload fixed --elem 8 --slots 1000", "use 512 or 1024"},
		{"create _ --payload fixed --elem 8 --slots 0", "--slots must be 1 or more"},
		{"create _ --payload fixed --elem 8 --slots -4", "--slots must be 1 or more"},
		{"create _ --payload fixed --elem 8 --slots 99999999999999999999", "the number is out of range"},
		{"create _ --payload fixed --elem 8 --slots 1073741824", "slots must be 1 to"},
		{"create _ --payload fixed --elem 8 --max-msg 8", "--max-msg needs --payload message"},
		{"create _ --payload fixed --elem 1GiB --slots 536870912", "needs more than"},
		{"create _ --kind mpmc --cap 1MiB", "--cap is for spsc message rings"},
		{"create _ --max-msg 1MiB", "need a capacity of at least"},
		{"create _ --max-msg 3GiB", "too large"},
		{"create _ --pack 4", "--pack needs --kind mpmc"},
		{"create _ --pack 0", "--pack must be 1 or more"},
		{"create _ --seats 1", "--seats must be 2 to"},
		{"create _ --seats 5000", "seats must be 2 to"},
		{"create _ --perm rw", "three octal digits"},
		{"create _ --perm 7777", "three octal digits"},
		{"create _ --perm 0400", "keeps its owner"},
		{"stat", "NAME is missing"},
		{"stat _ --watch", "flag needs an argument"},
		{"stat _ --watch soon", "it takes a duration"},
		{"stat _ --watch 0", "--watch must be"},
		{"stat _ --watch -1s", "--watch must be"},
		{"tail _ -n 0", "-n must be 1 or more"},
		{"tail _ -n -3", "-n must be 1 or more"},
		{"tail _ --hex --json", "exclude each other"},
		{"send", "NAME is missing"},
		{"send _ --raw --lines", "exclude each other"},
		{"send _ --frames --raw", "exclude each other"},
		{"send _ --chunk 4KiB", "--chunk needs --raw"},
		{"send _ --raw --chunk none", "is no size"},
		{"send _ --spin -1s", "--spin must be 0 or more"},
		{"send _ --name " + strings.Repeat("n", 33), "--name has 33 bytes, at most 32"},
		{"send _ --cap 1MiB", "needs --create"},
		{"send _ --create --wait", "exclude each other"},
		{"send _ --create --cap 3", "not a power of two; use 2 or 4"},
		{"send " + message + " --raw --chunk 1MiB", "takes at most 2040 bytes at once"},
		{"send " + fixed + " --raw --chunk 8", "--chunk does not fit"},
		{"recv _ --count 0", "--count must be 1 or more"},
		{"recv _ --count -1", "--count must be 1 or more"},
		{"recv _ --lines --frames", "exclude each other"},
		{"rm", "NAME is missing"},
		{"check", "NAME is missing"},
		{"reap", "NAME is missing"},
		{"shutdown", "NAME is missing"},
		{"bench Nothing", "no case matches"},
		{"bench SPSC/(", "missing closing"},
		{"bench --cpus 0", "is one CPU"},
		{"bench --cpus a,b", "are no CPUs"},
		{"bench --cpus 0,", "are no CPUs"},
		{"bench --cpus 1,1", "CPU 1 twice"},
		{"bench --cpus 0,65535", "CPU 65535 may not be used"},
		{"bench --samples 0", "--samples 0 is out of range"},
		{"bench --limit 1ns", "--limit 1ns is out of range"},
		{"bench --with x", "say where to with --html"},
		{"bench --render", "say where to with --html"},
		{"bench --render --html _", "name reports to draw"},
	} {
		args := strings.Fields(strings.ReplaceAll(test.args, "_", path))
		a := call(t, "", args...).want(t, test.args, exitUsage, test.says)
		if !strings.HasSuffix(a.stderr, " --help\n") || a.stdout != "" {
			t.Errorf("%s: no hint at help, or something on standard output: %q %q", test.args, a.stderr, a.stdout)
		}
	}
	call(t, "", "create", "").want(t, "an empty name", exitUsage, "NAME is empty")
	call(t, "", "create", "a\u0085b").want(t, "a wide control character", exitUsage, "control characters")
	call(t, "", "create", "a\nb").want(t, "a name of two lines", exitUsage, "control characters")
	call(t, "", "ls", "").want(t, "an empty directory name", exitUsage, "DIR is empty")
	if after := listing(t, dir); after != before {
		t.Errorf("left behind: %s", after)
	}
}

// Each verb explains itself, with an example, on standard output.
func TestHelp(t *testing.T) {
	for _, verb := range []string{"create", "ls", "stat", "send", "recv", "tail", "check", "reap", "shutdown", "rm", "bench"} {
		a := call(t, "", verb, "--help").ok(t, verb)
		for _, part := range []string{"Usage:\n  ringway " + verb, "Examples:\n  ", "ringway " + verb, "Flags:\n"} {
			if !strings.Contains(a.stdout, part) {
				t.Errorf("%s --help lacks %q:\n%s", verb, part, a.stdout)
			}
		}
		for _, line := range strings.Split(a.stdout, "\n") {
			if len(line) > 140 {
				t.Errorf("%s --help has a line of %d bytes: %s", verb, len(line), line)
			}
		}
		if b := call(t, "", "help", verb).ok(t, verb); b.stdout != a.stdout {
			t.Errorf("help %s is not %s --help", verb, verb)
		}
	}
	if a := call(t, "").ok(t, "no verb"); !strings.Contains(a.stdout, "Available Commands:") {
		t.Errorf("without a verb: %s", a.stdout)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if a := call(t, "", "completion", shell).ok(t, shell); !strings.Contains(a.stdout, "ringway") {
			t.Errorf("completion %s: %q", shell, a.stdout)
		}
	}
	name := shmName(t)
	call(t, "", "create", name, "--cap", "4KiB").ok(t, "create")
	for _, verb := range []string{"stat", "send", "recv", "tail", "check", "reap", "shutdown", "rm"} {
		a := call(t, "", "__complete", verb, name[:len(name)-1]).want(t, verb, 0, "NoFileComp")
		if a.stdout != name+"\n:4\n" {
			t.Errorf("completion of a name for %s: %q, want %q", verb, a.stdout, name)
		}
	}
	if a := call(t, "", "__complete", "stat", "./"); !strings.HasSuffix(a.stdout, ":0\n") {
		t.Errorf("a path is not left to the shell: %q", a.stdout)
	}
	if a := call(t, "", "__complete", "create", "x", "--kind", ""); !strings.HasPrefix(a.stdout, "spsc\nmpmc\n") {
		t.Errorf("completion of --kind: %q", a.stdout)
	}
}

// shmName is the name of a ring in the directory of named rings, gone when the test ends.
func shmName(t *testing.T) string {
	t.Helper()
	f, err := os.CreateTemp("/dev/shm", "ringway-test-*.ring")
	if err != nil {
		t.Skip("no files in /dev/shm here:", err)
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(f.Name()) })
	return strings.TrimSuffix(filepath.Base(f.Name()), ".ring")
}
