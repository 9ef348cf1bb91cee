package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"ringway/internal/child"
)

// nativeFlags are those of the compiler.
var nativeFlags = []string{"-O3", "-march=native", "-Wall", "-Wextra"}

// BuildNative compiles the native peer and returns the path of the program. The result is kept in the user's cache
// directory, or else the temporary one, under a name made of the sources, flags, compiler and CPU. The error is ErrNoCompiler
// if there is no g++.
func BuildNative(ctx context.Context) (string, error) {
	gxx, err := exec.LookPath("g++")
	if err != nil {
		return "", ErrNoCompiler
	}
	version, err := exec.CommandContext(ctx, gxx, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("bench: g++ --version failed, is the compiler whole?: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", version, nativeFlags, cpuModel())
	names, err := fs.Glob(nativeSource, "native/*")
	if err != nil {
		return "", err
	}
	for _, n := range names {
		b, err := nativeSource.ReadFile(n)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", n, len(b), b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "ringway-bench")
	path := filepath.Join(dir, fmt.Sprintf("native-%x", h.Sum(nil)[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("bench: no place to build the native peers: %w", err)
	}
	return path, compileNative(ctx, gxx, dir, path)
}

func compileNative(ctx context.Context, gxx, dir, path string) error {
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(tmp, nativeSource); err != nil {
		return err
	}
	cpp, err := fs.Glob(nativeSource, "native/*.cpp")
	if err != nil {
		return err
	}
	args := append(append([]string{}, nativeFlags...), "-o", "out")
	args = append(append(args, cpp...), "-x", "c", "native/futexpp.c")
	c := exec.CommandContext(ctx, gxx, args...)
	c.Dir = tmp
	if out, err := c.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		return fmt.Errorf("bench: g++ cannot compile the native peers: %w: %s", err, first)
	}
	return os.Rename(filepath.Join(tmp, "out"), path) // whole or not at all, if two build at once
}

// Native is the running native peer: two processes, one pinned to each CPU, which sleep between commands so that others can be
// measured in turn. One goroutine at a time.
type Native struct {
	// Patience ends a run that does not finish, and with it the server; 0 means a minute.
	Patience time.Duration

	cmd   *exec.Cmd
	cpus  [2]int
	turn  turn
	in    *os.File
	out   *bufio.Reader
	close func()
}

// StartNative starts the program that BuildNative returned.
func StartNative(path string, cpus [2]int) (*Native, error) {
	removeStale("/dev/shm")
	if cpus[0] == cpus[1] {
		return nil, fmt.Errorf("bench: both sides spin, so they need two different CPUs, not CPU %d twice", cpus[0])
	}
	ir, iw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	or, ow, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	turn, err := openTurn()
	if err != nil {
		return nil, err
	}
	c := exec.Command(path, "--cpus", fmt.Sprintf("%d,%d", cpus[0], cpus[1]))
	c.Stdin, c.Stdout, c.Stderr = ir, ow, os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true} // for a measurement that hangs; else the end of input does
	err = child.Launch(c)
	ir.Close()
	ow.Close()
	if err != nil {
		iw.Close()
		or.Close()
		turn.close()
		return nil, fmt.Errorf("bench: cannot start the native peer: %w", err)
	}
	return &Native{cmd: c, cpus: cpus, turn: turn, in: iw, out: bufio.NewReader(or), close: func() { iw.Close(); or.Close() }}, nil
}

// Do runs one command, such as "tp rigtorp 64 1024 1000000", and returns ns per operation. native/native.cpp lists the commands.
func (n *Native) Do(cmd string) (float64, error) {
	r, err := n.Run(cmd)
	return r.Ns, err
}

// Run is Do with everything that decides whether the run counts. It waits its turn if another Pair or Native measures.
func (n *Native) Run(cmd string) (NativeResult, error) {
	var r NativeResult
	if err := n.turn.take(); err != nil {
		return r, err
	}
	defer n.turn.give()
	stolen := stolenTicks(n.cpus[:])
	if _, err := fmt.Fprintln(n.in, cmd); err != nil {
		return r, fmt.Errorf("bench: the native peer has ended: %w", err)
	}
	t := time.AfterFunc(patienceOr(n.Patience), func() { n.cmd.Process.Kill() })
	defer t.Stop()
	l, err := n.out.ReadString('\n')
	if err != nil {
		return r, fmt.Errorf("bench: native %q: no answer, it hung or ended: %w", cmd, err)
	}
	l = strings.TrimSpace(l)
	if _, err := fmt.Sscanf(l, "ok %g %g %g %d %d %d", &r.Ns, &r.Before, &r.After, &r.Switches, &r.Verified, &r.Awake); err != nil {
		return r, fmt.Errorf("bench: native %q: %s", cmd, strings.TrimPrefix(l, "error "))
	}
	r.Stolen = stolenTicks(n.cpus[:]) - stolen
	if _, list, ok := strings.Cut(l, " latencies "); ok {
		if r.Latency, err = readLatencies(list); err != nil {
			return r, fmt.Errorf("bench: native %q: %w", cmd, err)
		}
	}
	return r, nil
}

// readLatencies reads how often each latency occurred, ns:count between blanks.
func readLatencies(list string) (*hdrhistogram.Histogram, error) {
	h := newHistogram()
	for text := range strings.FieldsSeq(list) {
		var ns, count int64
		if _, err := fmt.Sscanf(text, "%d:%d", &ns, &count); err != nil || count < 1 {
			return nil, fmt.Errorf("%q is no latency with its count", text)
		}
		if err := h.RecordValues(min(max(ns, 0), histogramMax), count); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Close ends both processes.
func (n *Native) Close() error {
	n.close()
	n.turn.close()
	t := time.AfterFunc(time.Second, func() { n.cmd.Process.Kill() })
	defer t.Stop()
	return n.cmd.Wait()
}
