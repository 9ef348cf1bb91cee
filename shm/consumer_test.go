//go:build linux

package shm_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ringway/internal/child"
	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

const (
	consumerSource = "../layout/testdata/consumer.c"
	sysvSource     = "../layout/testdata/sysv.c"
)

// programDir is where C programs are compiled to; TestMain removes it.
var programDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "ringway-c-") })

// consumerC compiles the C consumer of docs/FORMAT.md once, sysvC the other one.
var (
	consumerC = sync.OnceValues(func() (string, error) { return compileC(consumerSource) })
	sysvC     = sync.OnceValues(func() (string, error) { return compileC(sysvSource) })
)

func compileC(source string) (string, error) {
	dir, err := programDir()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), ".c"))
	out, err := exec.Command("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-o", binary, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

// startC runs the C consumer on a ring.
func startC(t *testing.T, path string) (cmd *exec.Cmd, stdout io.Reader, stderr *strings.Builder) {
	t.Helper()
	return startProgram(t, consumerC, "consumer", path)
}

func startProgram(t *testing.T, compiled func() (string, error), args ...string) (cmd *exec.Cmd, stdout io.Reader, stderr *strings.Builder) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler here, the format is checked from Go only:", err)
	}
	program, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	stderr = new(strings.Builder)
	cmd = child.Command("no-op")
	cmd.Path, cmd.Args, cmd.Stderr = program, args, stderr
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = in
	err = child.Launch(cmd)
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // if it has not ended
		out.Close()
	})
	return cmd, out, stderr
}

// line is the i-th message of a stream: text of any length that fits, none included.
func line(r *rand.Rand, i, longest int) []byte {
	b := fmt.Appendf(nil, "%d ", i)
	for n := r.IntN(longest); len(b) < n; {
		b = append(b, byte('a'+r.IntN(26)))
	}
	return b[:min(len(b), longest)]
}

// A program written from the format's text alone reads what Go writes: padding,
// wraps, both fences, parked on either side, shut down at the end.
func TestCConsumer(t *testing.T) {
	for _, fence := range []layout.Fence{layout.Auto, layout.Full} {
		for _, start := range []uint64{0, ^uint64(0) - 8191} {
			t.Run(fmt.Sprintf("%v from %#x", fence, start), func(t *testing.T) {
				path := filepath.Join(ramDir(t), "r")
				s := create(t, path, layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 1024, Seats: 3, Fence: fence})
				startAt(s, start)
				cmd, out, stderr := startC(t, path)
				const n = 20_000
				seed := rand.Uint64()
				pushed := make(chan error, 1)
				ctx, cancel := context.WithTimeout(t.Context(), child.HangLimit)
				defer cancel()
				go func() { pushed <- feed(ctx, s, seed, n) }()
				in, r := bufio.NewScanner(out), rand.New(rand.NewPCG(seed, 0))
				for i := range n {
					if want := line(r, i, 504); !in.Scan() || !bytes.Equal(in.Bytes(), want) {
						t.Fatalf("seed %d, message %d: %q, want %q; %v %s", seed, i, in.Bytes(), want, in.Err(), stderr)
					}
				}
				if in.Scan() {
					t.Errorf("one more: %q", in.Bytes())
				}
				if err := errors.Join(<-pushed, cmd.Wait()); err != nil || stderr.Len() > 0 {
					t.Error(err, stderr)
				}
				info, err := ring.Inspect(path)
				if err != nil || info.State != "drained" || info.Stats.Head != info.Stats.Tail {
					t.Errorf("afterwards: %+v, %v", info, err)
				}
				t.Logf("%d messages, Go parked %d times, woken %d times too late", n, info.Stats.Parks, info.Stats.Rescues)
			})
		}
	}
}

// feed pushes n messages and shuts the ring down.
func feed(ctx context.Context, s *shm.Segment, seed uint64, n int) error {
	p, err := ring.NewMsgProducer(s, nil)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		if err := p.Push(ctx, line(r, i, 504)); err != nil {
			return errors.Join(err, p.Close())
		}
	}
	return errors.Join(s.Shutdown(), p.Close())
}

// The seat of a C program is a seat like any other: others are kept out and told
// who it is, and when it is killed the next owner goes on where it stood.
func TestCConsumerKilled(t *testing.T) {
	path := filepath.Join(ramDir(t), "r")
	s := create(t, path, layout.Spec{Kind: layout.SPSC, Payload: layout.Message, Cap: 4096, Seats: 2})
	p, err := ring.NewMsgProducer(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	cmd, out, stderr := startC(t, path)
	if err := p.Push(t.Context(), []byte("first")); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(out).ReadString('\n'); got != "first\n" {
		t.Fatalf("%q, %v, %s", got, err, stderr)
	}
	_, err = ring.NewMsgConsumer(s, nil)
	wantError(t, "a second consumer", err, shm.ErrBusy, fmt.Sprintf("held by pid %d (%q)", cmd.Process.Pid, "consumer.c"))
	second, _, says := startC(t, path)
	if err := second.Wait(); err == nil || says.String() != "consumer: the consumer's seat is taken\n" {
		t.Errorf("a second one in C: %v, %q", err, says)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // killed: the error is no news
	for i := range 10 {
		if err := p.TryPush(fmt.Appendf(nil, "then %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ring.NewMsgConsumer(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 10 {
		if b, err := c.TryPop(nil); err != nil || string(b) != fmt.Sprint("then ", i) {
			t.Fatalf("message %d: %q, %v", i, b, err)
		}
	}
	if got := c.Stats().Reaped; got != 1 {
		t.Errorf("%d seats reaped, want the killed one", got)
	}
}

// It reads the golden segments, and refuses what is no ring for it.
func TestCConsumerGolden(t *testing.T) {
	for _, g := range goldens(t) {
		b, err := os.ReadFile(filepath.Join(goldenDir, g.name+".ring"))
		if err != nil {
			t.Fatal(err)
		}
		readable := g.spec.Kind == layout.SPSC && g.spec.Payload == layout.Message
		path := write(t, g.name, b)
		want, says := "", "consumer: not an spsc message ring\n"
		if readable {
			says = ""
			if err := reopen(t, path).Shutdown(); err != nil {
				t.Fatal(err)
			}
			for i := g.from; i < g.to; i++ {
				want += string(messageAt(i)) + "\n"
			}
		}
		cmd, out, stderr := startC(t, path)
		got, err := io.ReadAll(out)
		if wait := cmd.Wait(); (wait == nil) != readable || err != nil || string(got) != want || stderr.String() != says {
			t.Errorf("%s: %v, %v, printed %q, want %q, said %q", g.name, wait, err, got, want, stderr)
		}
	}
	whole := segmentBytes(t)
	for name, c := range map[string]struct {
		change func([]byte) []byte
		says   string
	}{
		"truncated":   {func(b []byte) []byte { return b[:len(b)-1] }, "truncated or extended"},
		"flipped":     {func(b []byte) []byte { b[100] ^= 1; return b }, "header checksum"},
		"newer":       {func(b []byte) []byte { return forge(b, func(b []byte) { b[majorOff] = 2 }) }, "another major version"},
		"features":    {func(b []byte) []byte { return forge(b, func(b []byte) { b[24] = 1 }) }, "unknown features"},
		"offset":      {func(b []byte) []byte { return forge(b, func(b []byte) { b[105] ^= 0x10 }) }, "offsets"},
		"other boot":  {func(b []byte) []byte { return forge(b, func(b []byte) { b[bootOff] ^= 1 }) }, "made before the last boot"},
		"half-built":  {func(b []byte) []byte { b[readyOff] = 0; return b }, "never finished"},
		"tail beyond": {func(b []byte) []byte { binary.LittleEndian.PutUint64(b[4096:], 264); return b }, "corrupt: head and tail are further apart than the capacity"},
		"no record":   {func(b []byte) []byte { binary.LittleEndian.PutUint64(b[4096:], 8); return b }, "corrupt: record"},
	} {
		cmd, _, stderr := startC(t, write(t, "r", c.change(bytes.Clone(whole))))
		if err := cmd.Wait(); err == nil || stderr.String() != "consumer: "+c.says+"\n" {
			t.Errorf("%s: %v, said %q", name, err, stderr)
		}
	}
}

// The listing in the document is the program that is tested.
func TestCConsumerIsInTheDocument(t *testing.T) {
	source, err := os.ReadFile(consumerSource)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```c\n"+string(source)+"```\n") {
		t.Error("docs/FORMAT.md does not print layout/testdata/consumer.c as it is")
	}
}
