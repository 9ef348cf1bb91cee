package main

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

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
