package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringway/futex"
	"ringway/shm"
)

// A variable is shown as one, by its updates and its users, and is no ring to those who
// want messages.
func TestVariable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v")
	v, err := shm.CreateVar[struct{ X, Y int64 }](path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for range 3 {
		if err := v.Update(t.Context(), func(p *struct{ X, Y int64 }) error { p.X++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	me := fmt.Sprint(os.Getpid())
	call(t, "", "ls", dir).ok(t, "ls").matches(t, "ls", `(?m)^`+path+` +var +fixed +1 value +- +open +0 +0 `)
	facts := decode[[]map[string]any](t, call(t, "", "ls", dir, "--json").ok(t, "ls --json").stdout)[0][0]
	if _, depth := facts["depth"]; depth || facts["kind"] != "var" || facts["attached"] != 1.0 {
		t.Errorf("ls --json: %v", facts)
	}
	stat := call(t, "", "stat", path).ok(t, "stat")
	for _, line := range []string{`variable +` + path, `spec +var, one value of 16 bytes`, `state +open`, `users +1 attached`, `updates +3`, `USER +PID +STATE +SINCE`, `ringway.test +` + me + ` +alive +20`} {
		stat.matches(t, "stat", `(?m)^`+line)
	}
	facts = decode[map[string]any](t, call(t, "", "stat", path, "--json").ok(t, "stat --json").stdout)[0]
	if facts["updates"] != 3.0 || facts["attached"] != 1.0 || facts["remove_on_last"] != false || facts["nattch"] != nil {
		t.Errorf("stat --json: %v", facts)
	}
	call(t, "", "check", path).ok(t, "check").matches(t, "check", `(?m)^value +ok +16 bytes, version 3$`)
	for _, verb := range []string{"send", "recv", "tail"} {
		call(t, "x\n", verb, path).want(t, verb, exitFailed, "wrong kind of ring: it is a variable")
	}
	call(t, "", "rm", path).want(t, "rm", exitFailed, `is in use by "ringway.test" pid `+me)
	call(t, "", "shutdown", path).ok(t, "shutdown").matches(t, "shutdown", "is shut down, it takes no more updates\n$")
	call(t, "", "stat", path).ok(t, "stat").matches(t, "stat", `(?m)^state +shutdown$`)
	call(t, "", "rm", path, "--when-unused").ok(t, "rm").matches(t, "rm", "goes with the last of its users, 1 now\n$")
	call(t, "", "stat", path).ok(t, "stat").matches(t, "stat", `(?m)^users +1 attached; the last to leave removes it$`)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	call(t, "", "stat", path).want(t, "stat afterwards", exitFailed, "there is no such ring")
}

// A shared struct is shown as one, by its users, and has no messages, no updates and no end.
func TestSharedStruct(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	s, err := shm.CreateShared[struct{ M futex.Mutex }](path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	call(t, "", "ls", dir).ok(t, "ls").matches(t, "ls", `(?m)^`+path+` +shared +fixed +1 value +- +open +0 +0 `)
	stat := call(t, "", "stat", path).ok(t, "stat")
	for _, line := range []string{`shared struct +` + path, `spec +shared, one value of 32 bytes`, `state +open`, `users +1 attached`, `ringway.test +` + fmt.Sprint(os.Getpid()) + ` +alive +20`} {
		stat.matches(t, "stat", `(?m)^`+line)
	}
	for _, word := range []string{"updates", "depth", "seats"} {
		if strings.Contains(stat.stdout, word) {
			t.Errorf("stat shows %s: %s", word, stat.stdout)
		}
	}
	facts := decode[map[string]any](t, call(t, "", "stat", path, "--json").ok(t, "stat --json").stdout)[0]
	if _, updates := facts["updates"]; updates || facts["kind"] != "shared" || facts["unit"] != "values" || facts["attached"] != 1.0 {
		t.Errorf("stat --json: %v", facts)
	}
	call(t, "", "check", path).ok(t, "check").matches(t, "check", `(?m)^value +ok +32 bytes, in place$`)
	for _, verb := range []string{"send", "recv", "tail"} {
		call(t, "x\n", verb, path).want(t, verb, exitFailed, "wrong kind of ring: it is a shared struct")
	}
	call(t, "", "shutdown", path).want(t, "shutdown", exitFailed, "wrong kind of ring: it is a shared struct, whose end")
	call(t, "", "reap", path).ok(t, "reap")
	call(t, "", "rm", path).want(t, "rm", exitFailed, "is in use by ")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	call(t, "", "rm", path).ok(t, "rm")
}

// Every verb takes the name of a System V segment.
func TestSystemV(t *testing.T) {
	name := fmt.Sprintf("sysv:%#x", 0x52580000|rand.IntN(1<<16))
	t.Cleanup(func() { _ = shm.Remove(name) }) // there only if the test failed
	call(t, "", "create", name, "--cap", "64KiB").ok(t, "create").matches(t, "create", "^"+name+"\nspsc messages, 65536 bytes")
	call(t, "", "create", name).want(t, "create again", exitFailed, "the key is taken")
	call(t, "", "ls").ok(t, "ls").matches(t, "ls", `(?m)^`+name+` +spsc +message +64KiB +0 \(0%\) +open +0 +0 `)
	s, err := shm.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	call(t, "", "stat", name).ok(t, "stat").matches(t, "stat", `(?m)^users +1 attached, nattch 1$`)
	call(t, "", "check", name).ok(t, "check").matches(t, "check", `(?m)^users +ok +1 attached$`)
	call(t, "one\ntwo\n", "send", name).ok(t, "send")
	call(t, "", "tail", name).ok(t, "tail").matches(t, "tail", `waiting +3  "two"\n$`)
	call(t, "", "recv", name, "--count", "2").ok(t, "recv").matches(t, "recv", "^one\ntwo\n$")
	call(t, "", "reap", name).ok(t, "reap").matches(t, "reap", ": 0 settled")
	input := randomBytes(t, 1_000_000)
	if got := through(t, name, input, "--raw"); sha256.Sum256(got) != sha256.Sum256(input) {
		t.Errorf("%d bytes came out of %d, or not the same", len(got), len(input))
	}
	call(t, "", "rm", name).ok(t, "rm").matches(t, "rm", "^"+name+" is removed\n$")
	call(t, "", "rm", name).want(t, "rm again", exitFailed, "there is no such ring")
	call(t, "", "create", "sysv:nonsense").want(t, "create sysv:nonsense", exitUsage, "has no System V key")
	call(t, "", "stat", "sysv:0").want(t, "stat sysv:0", exitUsage, "has no System V key")
}

// What was to go with its last user goes, whoever that is and however it ends.
func TestRemoveWhenUnused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r")
	call(t, "", "create", path, "--cap", "4KiB").ok(t, "create")
	call(t, "", "rm", path, "--when-unused", "--force").want(t, "both", exitUsage, "exclude each other")
	call(t, "", "rm", path, "--when-unused").ok(t, "unused").matches(t, "unused", path+" is removed\n$")
	call(t, "", "create", path, "--cap", "4KiB").ok(t, "create")
	recv := start(t, ringway(t, "recv", path, "--verbose"))
	awaitUsers(t, path, 1)
	call(t, "", "rm", path, "--when-unused", "--json").ok(t, "rm").matches(t, "rm", `"removed":false,"attached":1`)
	call(t, "hello\n", "send", path).ok(t, "send") // others still come and go
	if err := recv.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	finish(t, recv)
	call(t, "", "stat", path).ok(t, "stat").matches(t, "stat", `(?m)^users +0 attached; the last one was killed before it removed it, the next to open it does$`)
	call(t, "", "reap", path).ok(t, "reap").matches(t, "reap", "is removed, its last user was killed\n$")
	call(t, "", "reap", path).want(t, "reap again", exitFailed, "there is no such ring")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// awaitUsers waits until n programs have the ring open for writing.
func awaitUsers(t *testing.T, path string, n int) {
	t.Helper()
	for end := time.Now().Add(hangLimit); time.Now().Before(end); {
		a := call(t, "", "stat", path).ok(t, "stat")
		if strings.Contains(a.stdout, fmt.Sprintf("%d attached", n)) {
			return
		}
	}
	t.Fatalf("%s has never %d users", path, n)
}
