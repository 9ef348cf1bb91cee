package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// HangLimit is how long ReadLine, Wait and Kill wait before they call it a
// hang. It is no measure of speed, so it is generous.
const HangLimit = time.Minute

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Proc is a running child. Its methods may be called from the test's goroutine;
// Stop, Cont, Wait and SendLine from any.
type Proc struct {
	cmd    *exec.Cmd
	tb     TB
	stdin  io.WriteCloser
	stdout *os.File
	lines  chan string   // closed at the end of the child's output
	quit   chan struct{} // closed when nobody reads lines any more
	exited chan struct{} // closed once err is set
	err    error
}

// Start runs the named main in a child, with pipes to its standard input and
// output. When the test ends the child is killed and reaped.
func Start(tb TB, name string, args ...string) *Proc {
	tb.Helper()
	return StartCmd(tb, Command(name, args...))
}

// StartCmd is Start for a command that Command returned and the caller
// completed, for example with ExtraFiles. Stdin and Stdout must be unset.
func StartCmd(tb TB, cmd *exec.Cmd) *Proc {
	tb.Helper()
	p := &Proc{cmd: cmd, tb: tb, lines: make(chan string), quit: make(chan struct{}), exited: make(chan struct{})}
	var theirs *os.File
	var err error
	if p.stdin, err = cmd.StdinPipe(); err == nil {
		// Not StdoutPipe: Wait would close that while lines are still to be read.
		if p.stdout, theirs, err = os.Pipe(); err == nil {
			cmd.Stdout = theirs
			err = Launch(cmd)
			theirs.Close()
		}
	}
	if err != nil {
		if p.stdout != nil {
			p.stdout.Close()
		}
		tb.Fatalf("child: cannot start: %v", err)
		return nil
	}
	go p.reap()
	go p.read()
	tb.Cleanup(func() {
		p.Kill()
		close(p.quit)
		p.stdin.Close()
		p.stdout.Close()
	})
	return p
}

func (p *Proc) reap() {
	p.err = p.cmd.Wait()
	close(p.exited)
}

func (p *Proc) read() {
	defer close(p.lines)
	r := bufio.NewReader(p.stdout)
	for {
		line, err := r.ReadString('\n')
		if n := len(line); n > 0 {
			if line[n-1] == '\n' {
				line = line[:n-1]
			}
			select {
			case p.lines <- line:
			case <-p.quit:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Pid returns the process id of the child.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// SendLine writes one line to the child's standard input.
func (p *Proc) SendLine(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// CloseStdin ends the child's standard input.
func (p *Proc) CloseStdin() error { return p.stdin.Close() }

// ReadLine returns the next line of the child's standard output, without its
// end; io.EOF after the last one. After HangLimit without a line it returns an
// error that matches os.ErrDeadlineExceeded.
func (p *Proc) ReadLine() (string, error) {
	hang := time.NewTimer(HangLimit)
	defer hang.Stop()
	select {
	case line, ok := <-p.lines:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	case <-hang.C:
		return "", fmt.Errorf("child %d printed nothing for %v: %w", p.Pid(), HangLimit, os.ErrDeadlineExceeded)
	}
}

// Expect reads a line and fails the test unless it is want.
func (p *Proc) Expect(want string) {
	p.tb.Helper()
	if got, err := p.ReadLine(); err != nil {
		p.tb.Fatalf("child %d: want line %q: %v", p.Pid(), want, err)
	} else if got != want {
		p.tb.Fatalf("child %d: got line %q, want %q", p.Pid(), got, want)
	}
}

// Wait waits for the child to exit; nil means it exited with 0. After
// HangLimit it returns an error that matches os.ErrDeadlineExceeded.
func (p *Proc) Wait() error {
	hang := time.NewTimer(HangLimit)
	defer hang.Stop()
	select {
	case <-p.exited:
		return p.err
	case <-hang.C:
		return fmt.Errorf("child %d still runs after %v: %w", p.Pid(), HangLimit, os.ErrDeadlineExceeded)
	}
}

// Exited is closed when the child is gone and reaped.
func (p *Proc) Exited() <-chan struct{} { return p.exited }

// Kill kills the child with SIGKILL, running or stopped, and waits until it is
// gone. It does nothing if it has gone already.
func (p *Proc) Kill() {
	p.tb.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.tb.Fatalf("child %d: cannot kill: %v", p.Pid(), err)
	}
	if err := p.Wait(); errors.Is(err, os.ErrDeadlineExceeded) {
		p.tb.Fatalf("child %d: killed, but not gone: %v", p.Pid(), err)
	}
}
