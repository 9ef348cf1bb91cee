package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ringway/ring"
	"ringway/shm"
)

// decode reads one JSON object a line.
func decode[T any](t testing.TB, text string) (all []T) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		all = append(all, v)
	}
	return all
}

// matches checks standard output.
func (a answer) matches(t testing.TB, what, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(a.stdout) {
		t.Errorf("%s: %q does not match %q", what, a.stdout, pattern)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	for i, test := range []struct{ flags, says string }{
		{"", `spsc messages, 1048576 bytes \(1MiB\), each up to 524280 bytes, 64 seats`},
		{"--cap 65536 --max-msg 100", `65536 bytes \(64KiB\), each up to 100 bytes`},
		{"--cap 2mib --seats 2 --fence full", `\(2MiB\).*, 2 seats, full fence`},
		{"--payload fixed --elem 24", `spsc fixed, 32768 slots of 24 bytes`},
		{"--payload fixed --elem 4KiB --slots 2", `2 slots of 4096 bytes`},
		{"--payload fixed --elem 3MiB", `2 slots of 3145728 bytes`},
		{"--kind mpmc", `mpmc messages, 1024 slots of up to 1024 bytes`},
		{"--kind mpmc --slots 8 --max-msg 64", `mpmc messages, 8 slots of up to 64 bytes`},
		{"--kind mpmc --payload fixed --elem 8 --pack 32 --slots 64", `64 slots of 32 elements of 8 bytes`},
	} {
		path := filepath.Join(dir, fmt.Sprint(i))
		a := call(t, "", append([]string{"create", path}, strings.Fields(test.flags)...)...).ok(t, test.flags)
		a.matches(t, test.flags, "^"+path+"\n.*"+test.says)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("\nfile of %d bytes", info.Size()); !strings.Contains(a.stdout, want) || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %q lacks %q", test.flags, info.Mode(), a.stdout, want)
		}
		for _, verb := range []string{"stat", "check"} {
			call(t, "", verb, path).ok(t, verb+" of "+test.flags)
		}
	}
	path := filepath.Join(dir, "json")
	a := call(t, "", "create", path, "--json", "--perm", "0640").ok(t, "create --json")
	facts := decode[map[string]any](t, a.stdout)[0]
	for key, want := range map[string]any{"path": path, "kind": "spsc", "payload": "message", "cap": 1048576.0, "unit": "bytes",
		"max_msg": 524280.0, "seat_cap": 64.0, "elem_size": 0.0, "pack": 1.0} {
		if facts[key] != want {
			t.Errorf("%s is %v, want %v", key, facts[key], want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 || facts["file_size"] != float64(info.Size()) {
		t.Errorf("%v, %v, %v", info.Mode(), facts["file_size"], err)
	}
}

func TestNameAndPath(t *testing.T) {
	name := shmName(t)
	call(t, "", "create", name, "--cap", "4KiB").ok(t, "create").matches(t, "create", "^/dev/shm/"+name+".ring\n")
	call(t, "", "ls", name).want(t, "ls of a ring", exitFailed, "ringway stat "+name+" shows that ring")
	call(t, "", "ls").ok(t, "ls").matches(t, "ls", `(?m)^`+name+` +spsc +message +4KiB`)
	call(t, "hello\n", "send", name).ok(t, "send")
	call(t, "", "recv", shm.Path(name), "--count", "1").ok(t, "recv").matches(t, "recv", "^hello\n$")
	call(t, "", "rm", name).ok(t, "rm")
	if _, err := os.Stat(shm.Path(name)); !os.IsNotExist(err) {
		t.Errorf("rm left it: %v", err)
	}
}

func TestStat(t *testing.T) {
	path := newRing(t, "--cap", "4KiB")
	call(t, "one\ntwo\nthree\n", "send", path).ok(t, "send")
	call(t, "", "recv", path, "--count", "1").ok(t, "recv")
	recv := ringway(t, "recv", path, "--name", "the reader", "--count", "3")
	stdinPipe(t, recv)
	p := start(t, recv)
	eventually(t, "the reader waits", func() bool { return strings.Contains(call(t, "", "stat", path).stdout, "depth      0 of 4096") })
	a := call(t, "", "stat", path).ok(t, "stat")
	for _, pattern := range []string{`(?m)^ring +` + path + `$`, `(?m)^state +open$`, `(?m)^head +48$`, `(?m)^tail +48$`,
		fmt.Sprintf(`(?m)^1 +consumer +the reader +%d +alive +0 `, p.Process.Pid), `(?m)^slow path +\d+ parks, \d+ wakes, 0 rescues`} {
		a.matches(t, "stat", pattern)
	}
	facts := decode[statFacts](t, call(t, "", "stat", path, "--json").ok(t, "stat --json").stdout)[0]
	if facts.Tail != 48 || facts.Depth != 0 || len(facts.Seats) != 1 || facts.Seats[0].PID != p.Process.Pid || facts.Seats[0].State != "alive" ||
		facts.Seats[0].Name != "the reader" || facts.Kind != "spsc" || facts.Version != "1.0" {
		t.Errorf("stat --json: %+v", facts)
	}
	call(t, "", "rm", path).want(t, "rm in use", exitFailed, fmt.Sprintf(`in use by consumer "the reader" pid %d`, p.Process.Pid))
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	finish(t, p)
	call(t, "", "stat", path).ok(t, "stat").matches(t, "a dead seat", `consumer +the reader +\d+ +dead`)
	call(t, "", "ls", filepath.Dir(path)).ok(t, "ls").matches(t, "ls with a dead seat", `open +0 +1 `)
	call(t, "", "check", path).ok(t, "check").matches(t, "check with a dead seat", `(?m)^seats +ok +.* 1 with a dead one`)
	if got := decode[struct{ Reaped int }](t, call(t, "", "reap", path, "--json").ok(t, "reap").stdout); got[0].Reaped != 1 {
		t.Errorf("reap: %v", got)
	}
	call(t, "", "reap", path).ok(t, "reap").matches(t, "second reap", ": 0 settled\n$")
	call(t, "", "stat", path).ok(t, "stat").matches(t, "after reap", `1 reaped, .*\nseats +none taken\n$`)
}

func TestTail(t *testing.T) {
	path := newRing(t, "--cap", "4KiB")
	if a := call(t, "", "tail", path).ok(t, "tail of nothing"); a.stdout != "" {
		t.Errorf("tail of a fresh ring: %q", a.stdout)
	}
	call(t, "one\n\nthr\xffee\n"+strings.Repeat("ü", 200)+"\n", "send", path).ok(t, "send")
	call(t, "", "recv", path, "--count", "2").ok(t, "recv")
	want := "0  consumed  3  \"one\"\n16  consumed  0  \"\"\n24  waiting   6  \"thr\\xffee\"\n40  waiting   400  \"" +
		strings.Repeat("ü", 128) + "\" and 144 bytes more\n"
	if a := call(t, "", "tail", path).ok(t, "tail"); a.stdout != want {
		t.Errorf("tail:\n%s\nwant:\n%s", a.stdout, want)
	}
	call(t, "", "tail", path, "-n", "2", "--hex").ok(t, "tail --hex").matches(t, "tail --hex",
		`^24  waiting   6\n00000000  74 68 72 ff 65 65 .*\n40  waiting   400\n(0.*\n){25}$`)
	got := decode[sampleFacts](t, call(t, "", "tail", path, "-n", "3", "--json").ok(t, "tail --json").stdout)
	if len(got) != 3 || got[0].Position != 16 || !got[0].Consumed || got[0].Data == nil || string(got[1].Data) != "thr\xffee" || got[2].Length != 400 {
		t.Errorf("tail --json: %+v", got)
	}
}

func TestTailOfMPMC(t *testing.T) {
	path := newRing(t, "--kind", "mpmc", "--slots", "4", "--max-msg", "16")
	if a := call(t, "", "tail", path).ok(t, "tail of nothing"); a.stdout != "" {
		t.Errorf("tail of a fresh ring: %q", a.stdout)
	}
	call(t, "one\ntwo\nthree\nfour\n", "send", path).ok(t, "send")
	call(t, "", "recv", path, "--count", "2").ok(t, "recv")
	want := "1  consumed  3  \"two\"\n2  waiting   5  \"three\"\n3  waiting   4  \"four\"\n" // of the first nothing tells any more
	if a := call(t, "", "tail", path).ok(t, "tail"); a.stdout != want {
		t.Errorf("tail:\n%s\nwant:\n%s", a.stdout, want)
	}
	s, err := shm.Open(path)
	noError(t, err)
	defer s.Close()
	c, err := ring.NewMsgConsumer(s, nil) // its seat was that of recv
	noError(t, err)
	defer c.Close()
	_, err = c.Peek()
	noError(t, err)
	if a := call(t, "", "tail", path, "-n", "2").ok(t, "tail"); a.stdout != "2  in hand   5  \"three\"\n3  waiting   4  \"four\"\n" {
		t.Errorf("tail: %q", a.stdout)
	}
	packed := newRing(t, "--kind", "mpmc", "--slots", "4", "--payload", "fixed", "--elem", "2", "--pack", "8")
	call(t, "aabbcc", "send", packed, "--raw").ok(t, "send")
	got := decode[sampleFacts](t, call(t, "", "tail", packed, "-n", "2", "--json").ok(t, "tail --json").stdout)
	if len(got) != 2 || got[1].Consumed || string(got[1].Data) != "cc" || string(got[0].Data) != "bb" {
		t.Errorf("tail --json: %+v", got)
	}
}

func TestCheckAndShutdown(t *testing.T) {
	path := newRing(t, "--cap", "4KiB")
	call(t, "one\n", "send", path).ok(t, "send")
	call(t, "", "shutdown", path).ok(t, "shutdown").matches(t, "shutdown", "is shutdown, 16 bytes left\n$")
	call(t, "", "shutdown", path, "--json").ok(t, "second shutdown").matches(t, "second shutdown", `"state":"shutdown","depth":16`)
	call(t, "two\n", "send", path).want(t, "send after shutdown", exitFailed, "ring is shut down; 0 messages were sent before")
	call(t, "", "recv", path).ok(t, "recv").matches(t, "recv drains", "^one\n$")
	call(t, "", "recv", path).ok(t, "recv of a drained ring").matches(t, "recv", "^$")
	call(t, "", "stat", path).ok(t, "stat").matches(t, "stat", `(?m)^state +drained$`)
	call(t, "", "check", path).ok(t, "check").matches(t, "check", `(?m)^seal +ok +the end is agreed at 16$`)

	s, err := shm.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.MarkCorrupt(5, 7)
	a := call(t, "", "check", path).want(t, "check of a corrupt ring", exitFailed, "is broken: state")
	a.matches(t, "check", `(?m)^state +BROKEN +corrupt: reported by a tool, seen at position 7`)
	facts := decode[checkFacts](t, call(t, "", "check", path, "--json").stdout)[0]
	if facts.OK || len(facts.Findings) < 5 || facts.Findings[1].Name != "state" || facts.Findings[1].OK {
		t.Errorf("check --json: %+v", facts)
	}
	for _, verb := range []string{"send", "recv", "shutdown"} {
		call(t, "x\n", verb, path).want(t, verb+" on a corrupt ring", exitFailed, "ring is corrupt")
	}
	call(t, "", "ls", filepath.Dir(path)).ok(t, "ls").matches(t, "ls of a corrupt ring", `corrupt +0 +0`)
	call(t, "", "rm", path, "--json").ok(t, "rm").matches(t, "rm --json", `"removed":true`)
}

func TestLs(t *testing.T) {
	dir := t.TempDir()
	call(t, "", "ls", dir).want(t, "ls of nothing", 0, "no rings in")
	if a := call(t, "", "ls", dir, "--json").ok(t, "ls --json of nothing"); a.stdout != "[]\n" {
		t.Errorf("%q", a.stdout)
	}
	for _, flags := range []string{"a.ring --cap 4KiB", "b --payload fixed --elem 8 --slots 16", "c.ring --kind mpmc --slots 4"} {
		call(t, "", append([]string{"create"}, strings.Fields(dir+"/"+flags)...)...).ok(t, "create")
	}
	for name, content := range map[string]string{"notes.txt": "RINGWAY, or not", "empty": "", "half.ring": "", "cut": "IRNGWAY\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(filepath.Join(dir, "a.ring"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "short"), whole[:9000], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.ring", filepath.Join(dir, "link.ring")); err != nil {
		t.Fatal(err)
	}
	a := call(t, "", "ls", dir).ok(t, "ls")
	for _, pattern := range []string{`(?m)^` + dir + `/a.ring +spsc +message +4KiB +0 \(0%\) +open +0 +0 +20 KiB$`,
		`(?m)^` + dir + `/b +spsc +fixed +16 slots +0`, `(?m)^` + dir + `/c.ring +mpmc +message +4 slots`,
		`(?m)^` + dir + `/half.ring +- .* unusable`, `(?m)^` + dir + `/half.ring: .*the file is empty`, `(?m)^` + dir + `/short: .*truncated`} {
		a.matches(t, "ls", pattern)
	}
	if strings.Contains(a.stdout, "notes") || strings.Contains(a.stdout, "/empty") || strings.Contains(a.stdout, "link") || strings.Contains(a.stdout, "/cut") {
		t.Errorf("ls shows what is no ring:\n%s", a.stdout)
	}
	rows := decode[[]ringRow](t, call(t, "", "ls", dir, "--json").ok(t, "ls --json").stdout)[0]
	if len(rows) != 5 || rows[0].Cap != 4096 || rows[0].Depth == nil || *rows[0].Depth != 0 || rows[3].Error == "" || rows[3].Depth != nil {
		t.Errorf("ls --json: %+v", rows)
	}
	call(t, "", "ls", dir+"/none").want(t, "ls of no directory", exitFailed, "no such file")
	call(t, "", "ls", dir+"/empty").want(t, "ls of a file", exitFailed, "not a directory")
}
