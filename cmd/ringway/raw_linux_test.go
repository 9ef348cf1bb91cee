package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Nobody needs to make room for the end of the input: send ends at a ring that is
// nearly or quite full, and what it sent is all there.
func TestRawEndsAtFullRing(t *testing.T) {
	for flags, size := range map[string]int{
		"--cap 64KiB":                             60_000, // less room is left than send takes when it knows nothing
		"--cap 64KiB --fence full":                60_000,
		"--kind mpmc --slots 64 --max-msg 4KiB":   64 << 10, // as many messages at least as reads of a pipe
		"--payload fixed --elem 8 --slots 1024":   8192,
		"--payload fixed --elem 100000 --slots 4": 400_000,
	} {
		t.Run(flags, func(t *testing.T) {
			input := randomBytes(t, size)
			file := filepath.Join(t.TempDir(), "input")
			if err := os.WriteFile(file, input, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, how := range []string{"pipe", "file", "chunks"} {
				path := newRing(t, strings.Fields(flags)...)
				send := ringway(t, "send", path, "--raw", "--shutdown-at-eof")
				switch {
				case how == "file":
					in, err := os.Open(file)
					if err != nil {
						t.Fatal(err)
					}
					defer in.Close()
					send.Stdin = in
				case how == "chunks" && strings.HasPrefix(flags, "--cap"):
					send.Args = append(send.Args, "--chunk", "10000")
					fallthrough
				default:
					send.Stdin = bytes.NewReader(input)
				}
				finish(t, start(t, send)).ok(t, how)
				got := call(t, "", "recv", path, "--raw").ok(t, "recv").stdout
				if !bytes.Equal([]byte(got), input) {
					t.Errorf("%s: %d bytes came out of %d, or not the same", how, len(got), len(input))
				}
			}
		})
	}
}

// What a read of a datagram, or of a packet in a pipe, does not take is gone. A raw stream
// loses none of it, wherever in the ring the last record ended.
func TestRawPackets(t *testing.T) {
	input := randomBytes(t, 400*1400)
	for what, ends := range map[string]func() (r, w int, err error){
		"seqpacket": func() (int, int, error) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
			return fds[0], fds[1], err
		},
		"packet pipe": func() (int, int, error) {
			var fds [2]int
			err := unix.Pipe2(fds[:], unix.O_DIRECT|unix.O_CLOEXEC)
			return fds[0], fds[1], err
		},
		"stream": func() (int, int, error) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			return fds[0], fds[1], err
		},
	} {
		t.Run(what, func(t *testing.T) {
			r, w, err := ends()
			if err != nil {
				t.Fatal(err)
			}
			path := newRing(t, "--cap", "1MiB")
			send := ringway(t, "send", path, "--raw", "--shutdown-at-eof")
			send.Stdin = os.NewFile(uintptr(r), "stdin")
			sending := start(t, send)
			closeOurs(t, send.Stdin)
			for left := input; len(left) > 0; left = left[1400:] {
				if n, err := unix.Write(w, left[:1400]); n != 1400 || err != nil {
					t.Fatalf("wrote %d bytes of a packet: %v", n, err)
				}
			}
			if err := unix.Close(w); err != nil {
				t.Fatal(err)
			}
			finish(t, sending).ok(t, "send")
			got := call(t, "", "recv", path, "--raw").ok(t, "recv").stdout
			if !bytes.Equal([]byte(got), input) {
				t.Errorf("%d bytes came out of %d, or not the same", len(got), len(input))
			}
		})
	}
}
