package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seeded gives random bytes that a failing test can ask for again.
func seeded(t testing.TB) *rand.ChaCha8 {
	t.Helper()
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(time.Now().UnixNano()))
	t.Logf("seed: %x", seed[:8])
	return rand.NewChaCha8(seed)
}

func randomBytes(t testing.TB, n int) []byte {
	b := make([]byte, n)
	seeded(t).Read(b)
	return b
}

// through sends input through the ring at path, with flags on both sides, and
// returns what came out; both sides must end well.
func through(t testing.TB, path string, input []byte, flags ...string) []byte {
	t.Helper()
	send := ringway(t, append([]string{"send", path, "--shutdown-at-eof"}, flags...)...)
	send.Stdin = bytes.NewReader(input)
	recv := start(t, ringway(t, append([]string{"recv", path}, flags...)...))
	finish(t, start(t, send)).ok(t, "send")
	return []byte(finish(t, recv).ok(t, "recv").stdout)
}

func TestRawRoundTrip(t *testing.T) {
	input := randomBytes(t, 3_000_000)
	for _, flags := range []string{"--cap 64KiB", "--cap 64", "--cap 1MiB --fence full", "--cap 64KiB --max-msg 7",
		"--payload fixed --elem 8 --slots 1024", "--payload fixed --elem 1000 --slots 2", "--payload fixed --elem 100000 --slots 4"} {
		t.Run(flags, func(t *testing.T) {
			input := input
			if flags == "--cap 64" || strings.Contains(flags, "max-msg") {
				input = input[:200_000]
			}
			got := through(t, newRing(t, strings.Fields(flags)...), input, "--raw")
			if sha256.Sum256(got) != sha256.Sum256(input) {
				t.Errorf("%d bytes came out of %d, or not the same", len(got), len(input))
			}
		})
	}
}

func TestLinesRoundTrip(t *testing.T) {
	var many bytes.Buffer
	for n := range 200_000 {
		fmt.Fprintf(&many, "line %d %s\n", n, strings.Repeat("x", n%50))
	}
	for what, test := range map[string]struct{ in, out, flags string }{
		"nothing":              {"", "", "--cap 4KiB"},
		"one empty line":       {"\n", "\n", "--cap 4KiB"},
		"empty lines":          {"\n\n\na\n\n", "\n\n\na\n\n", "--cap 4KiB"},
		"no newline at end":    {"a\nb", "a\nb\n", "--cap 4KiB"},
		"any bytes":            {"\x00\xff\r\n\x00\n", "\x00\xff\r\n\x00\n", "--cap 4KiB"},
		"longest line":         {strings.Repeat("l", 2040) + "\nx\n", strings.Repeat("l", 2040) + "\nx\n", "--cap 4KiB"},
		"longest line, no end": {strings.Repeat("l", 2040), strings.Repeat("l", 2040) + "\n", "--cap 4KiB"},
		"longer than buffers":  {strings.Repeat("l", 300000) + "\nx\n", strings.Repeat("l", 300000) + "\nx\n", "--cap 1MiB"},
		"elements":             {"12345678\nabcdefgh", "12345678\nabcdefgh\n", "--payload fixed --elem 8 --slots 2"},
		"many":                 {many.String(), many.String(), "--cap 64KiB"},
		"many, tiny ring":      {many.String()[:300000], strings.TrimSuffix(many.String()[:300000], "\n") + "\n", "--cap 256"},
	} {
		t.Run(what, func(t *testing.T) {
			got := through(t, newRing(t, strings.Fields(test.flags)...), []byte(test.in))
			if string(got) != test.out {
				t.Errorf("%d bytes came out, want %d; %.80q", len(got), len(test.out), got)
			}
		})
	}
}

func frame(msg []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(msg))), msg...)
}

func TestFramesRoundTrip(t *testing.T) {
	source := seeded(t)
	random := rand.New(source)
	var input []byte
	for n := range 3000 {
		msg := make([]byte, random.IntN(100))
		if n%100 == 0 {
			msg = make([]byte, random.IntN(32760))
		}
		source.Read(msg)
		input = append(input, frame(msg)...)
	}
	input = append(input, frame(make([]byte, 32760))...) // the longest
	if got := through(t, newRing(t, "--cap", "64KiB"), input, "--frames"); !bytes.Equal(got, input) {
		t.Errorf("%d bytes came out of %d, or not the same", len(got), len(input))
	}
	elements := bytes.Repeat(frame([]byte("abcde")), 1000)
	if got := through(t, newRing(t, "--payload", "fixed", "--elem", "5", "--slots", "8"), elements, "--frames"); !bytes.Equal(got, elements) {
		t.Errorf("%d bytes of elements came out of %d, or not the same", len(got), len(elements))
	}
	if got := through(t, newRing(t, "--cap", "4KiB"), nil, "--frames"); len(got) != 0 {
		t.Errorf("nothing became %q", got)
	}
}

// What cannot be sent says where it is, nothing of it is sent, and what was before is.
func TestBadInput(t *testing.T) {
	bytes4K, fixed := "--cap 4KiB", "--payload fixed --elem 8 --slots 16"
	for what, test := range map[string]struct{ ring, mode, in, says, out string }{
		"long line":             {bytes4K, "--lines", "a\nb\n" + strings.Repeat("c", 2041) + "\nd\n", `line 3 (is longer than|has) .*takes messages of at most 2040`, "a\nb\n"},
		"long last line":        {bytes4K, "--lines", "a\n" + strings.Repeat("c", 2041), "line 2 ", "a\n"},
		"endless line":          {bytes4K, "--lines", "a\n" + strings.Repeat("c", 500000), "line 2 is longer than 2040", "a\n"},
		"line is no element":    {fixed, "--lines", "12345678\n1234\n", "line 2 has 4 bytes, an element of .* has 8", "12345678\n"},
		"empty line, elements":  {fixed, "--lines", "12345678\n\n", "line 2 has 0 bytes", "12345678\n"},
		"length cut off":        {bytes4K, "--frames", string(frame([]byte("ok"))) + "\x01\x00", "frame 2 is truncated: .* after 2 of the 4", "ok\n"},
		"frame cut off":         {bytes4K, "--frames", string(frame([]byte("ok"))) + "\x09\x00\x00\x00four", "frame 2 is truncated: .* its 9 bytes", "ok\n"},
		"frame without bytes":   {bytes4K, "--frames", "\x09\x00\x00\x00", "frame 1 is truncated", ""},
		"long frame":            {bytes4K, "--frames", string(frame([]byte("ok"))) + "\xff\xff\xff\xff", "frame 2 has 4294967295 bytes", "ok\n"},
		"frame is no element":   {fixed, "--frames", string(frame([]byte("1234"))), "frame 1 has 4 bytes, an element of .* has 8", ""},
		"elements do not match": {fixed, "--raw", "12345678abcdefghxyz", "ends with 3 bytes left over", "12345678\nabcdefgh\n"},
	} {
		t.Run(what, func(t *testing.T) {
			path := newRing(t, strings.Fields(test.ring)...)
			call(t, test.in, "send", path, test.mode).want(t, "send", exitFailed, test.says)
			call(t, "", "check", path).ok(t, "check")
			call(t, "", "shutdown", path).ok(t, "shutdown")
			if a := call(t, "", "recv", path).ok(t, "recv"); a.stdout != test.out {
				t.Errorf("in the ring were %q, want %q", a.stdout, test.out)
			}
		})
	}
	path := newRing(t)
	cmd := ringway(t, "send", path)
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd.Stdin = dir
	finish(t, start(t, cmd)).want(t, "a directory as input", exitFailed, "read standard input: is a directory")
}

// A message gets out as soon as it is in, in every mode.
func TestNothingIsHeldBack(t *testing.T) {
	for _, mode := range []string{"--lines", "--frames", "--raw"} {
		path := newRing(t, "--cap", "64KiB")
		send, recv := ringway(t, "send", path, mode), ringway(t, "recv", path, mode)
		in, out := stdinPipe(t, send), stdoutPipe(t, recv)
		s, r := start(t, send), start(t, recv)
		closeOurs(t, send.Stdin)
		for n := range 20 {
			msg := fmt.Appendf(nil, "message %d\n", n)
			if mode == "--frames" {
				msg = frame(msg)
			}
			if _, err := in.Write(msg); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(msg))
			if err := out.SetReadDeadline(time.Now().Add(hangLimit)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(out, got); err != nil || !bytes.Equal(got, msg) {
				t.Fatalf("%s: %q came out of %q, %v", mode, got, msg, err)
			}
		}
		closeOurs(t, in)
		finish(t, s).ok(t, "send")
		call(t, "", "shutdown", path).ok(t, "shutdown")
		finish(t, r).ok(t, "recv")
	}
}

func TestCount(t *testing.T) {
	path := newRing(t)
	call(t, "1\n2\n3\n4\n5\n6\n", "send", path, "-v").want(t, "send", 0, "^6 messages, 6 bytes sent\n$")
	for _, test := range []struct{ n, out string }{{"1", "1\n"}, {"3", "2\n3\n4\n"}, {"2", "5\n6\n"}} {
		if a := call(t, "", "recv", path, "--count", test.n).ok(t, "recv"); a.stdout != test.out {
			t.Errorf("recv --count %s: %q, want %q", test.n, a.stdout, test.out)
		}
	}
	call(t, "", "stat", path, "--json").ok(t, "stat").matches(t, "stat", `"depth":0,`)
	fixed := newRing(t, "--payload", "fixed", "--elem", "2", "--slots", "8")
	call(t, "112233", "send", fixed, "--raw").ok(t, "send")
	call(t, "", "recv", fixed, "--raw", "--count", "2", "-v").want(t, "recv", 0, "^2 messages, 4 bytes received\n$").matches(t, "recv", "^1122$")
	call(t, "", "recv", fixed, "--raw", "--count", "1").ok(t, "recv").matches(t, "recv", "^33$")
}

func TestCreateOnSend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	call(t, "one\n", "send", path, "--create", "--cap", "4KiB").ok(t, "send --create")
	call(t, "two\n", "send", path, "--create", "--cap", "4KiB").ok(t, "send --create again")
	call(t, "no\n", "send", path, "--create").want(t, "another size", exitFailed, "spec does not fit: the ring is .* 4096 bytes.*, wanted .* 1048576 bytes")
	call(t, "no\n", "send", path, "--create", "--payload", "fixed", "--elem", "3").want(t, "another payload", exitFailed, "spec does not fit")
	call(t, "", "recv", path, "--count", "2").ok(t, "recv").matches(t, "recv", "^one\ntwo\n$")
}

// Both sides may come before the ring does.
func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	send := ringway(t, "send", path, "--wait", "--shutdown-at-eof")
	send.Stdin = strings.NewReader("hello\n")
	s, r := start(t, send), start(t, ringway(t, "recv", path, "--wait"))
	call(t, "", "create", path).ok(t, "create")
	finish(t, s).ok(t, "send --wait")
	finish(t, r).ok(t, "recv --wait").matches(t, "recv", "^hello\n$")
}

// One seat a side: who comes second is told who has it.
func TestSecondPeer(t *testing.T) {
	path := newRing(t)
	send := ringway(t, "send", path, "--name", "first")
	in := stdinPipe(t, send)
	s, r := start(t, send), start(t, ringway(t, "recv", path, "--count", "1"))
	eventually(t, "both sit", func() bool {
		out := call(t, "", "stat", path).stdout
		return strings.Contains(out, "producer") && strings.Contains(out, "consumer")
	})
	call(t, "x\n", "send", path).want(t, "second send", exitFailed, fmt.Sprintf(`held by pid %d \("first"\)`, s.Process.Pid))
	call(t, "", "recv", path).want(t, "second recv", exitFailed, fmt.Sprintf("held by pid %d", r.Process.Pid))
	if _, err := in.WriteString("x\n"); err != nil {
		t.Fatal(err)
	}
	finish(t, r).ok(t, "first recv").matches(t, "first recv", "^x\n$")
	closeOurs(t, in)
	closeOurs(t, send.Stdin)
	finish(t, s).ok(t, "first send")
}
