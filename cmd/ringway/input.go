package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// input reads standard input so that a signal can end a read that waits, and knows what
// it has read and not yet passed on.
type input struct {
	stop  *stopper
	stopR int // descriptor of stop.pipe
	inlet
	buf   []byte // buf[at:end] is read and not used
	at    int
	end   int
	taken int64 // bytes read so far
	sent  int64 // of these, how many are in the ring or are framing of it
}

const inputBuffer = 64 << 10

func newInput(stop *stopper) *input {
	return &input{stop: stop, stopR: int(stop.pipe.Fd()), buf: make([]byte, inputBuffer)}
}

// ready waits until a read gives something, an error, or the end.
func (in *input) ready() error {
	start := time.Now()
	ready, stopped, err := readable(0, in.stopR, !in.streams)
	if err == nil && !ready && !stopped {
		nap(inNap)
		_, stopped, err = readable(0, in.stopR, true)
	}
	in.waited(time.Since(start))
	if err != nil {
		return fmt.Errorf("wait for standard input: %w", err)
	}
	if stopped {
		return errStopped
	}
	return nil
}

// read is one read(2) of at least one byte. At the end the error is io.EOF.
func (in *input) read(p []byte) (int, error) {
	if err := in.ready(); err != nil {
		return 0, err
	}
	return in.readNow(p)
}

func (in *input) readNow(p []byte) (int, error) {
	n, err := os.Stdin.Read(p)
	in.taken += int64(n)
	in.got = n
	if err == io.EOF || err == nil {
		return n, err
	}
	var path *fs.PathError // says "read /dev/stdin"
	if errors.As(err, &path) {
		err = path.Err
	}
	return n, fmt.Errorf("read standard input: %w", err)
}

// more reads behind what is buffered, making room first; the buffer grows up to limit.
func (in *input) more(limit int) error {
	if in.at > 0 {
		copy(in.buf, in.buf[in.at:in.end])
		in.end -= in.at
		in.at = 0
	}
	if in.end == len(in.buf) {
		grown := make([]byte, min(2*len(in.buf), max(limit, inputBuffer)))
		copy(grown, in.buf)
		in.buf = grown
	}
	n, err := in.read(in.buf[in.end:])
	in.end += n
	return err
}

// need makes sure that n bytes are buffered. The error is io.EOF if the input ends before.
func (in *input) need(n int) error {
	for in.end-in.at < n {
		if err := in.more(n); err != nil {
			return err
		}
	}
	return nil
}

// fill copies what is buffered into p, then reads p full. It returns how much
// of p it filled; the error is io.EOF if that is not all.
func (in *input) fill(p []byte) (int, error) {
	n := copy(p, in.buf[in.at:in.end])
	in.at += n
	for n < len(p) {
		got, err := in.read(p[n:])
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// giveBack returns to a file, which somebody may read on, what was read and not
// sent. It returns how many bytes could not be returned: a pipe takes nothing back.
func (in *input) giveBack() int64 {
	left := in.taken - in.sent
	if left == 0 {
		return 0
	}
	if st, err := os.Stdin.Stat(); err == nil && st.Mode().IsRegular() {
		if _, err := os.Stdin.Seek(-left, io.SeekCurrent); err == nil {
			return 0
		}
	}
	return left
}
