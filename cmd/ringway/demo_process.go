package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"ringway/internal/child"
)

// demoProcess is a running peer as its parent sees it.
type demoProcess struct {
	role   string
	cmd    *exec.Cmd
	wire   *demoWire
	stdin  io.Closer
	events chan<- demoEvent
	quit   chan struct{} // closed when nobody listens to events any more
	exited chan struct{} // closed when it is gone and reaped
}

// demoEvent is something a peer said, or that it ended.
type demoEvent struct {
	from   *demoProcess
	report demoReport
	ended  error // set if it is gone, whatever its status
}

// startPeer starts one side. data is its end of a pipe or socket, nil for a ring.
func startPeer(role, path string, cpu int, data *os.File, events chan<- demoEvent) (*demoProcess, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find our own binary: %w", err)
	}
	args := []string{"demo", "peer", role, "--cpu", strconv.Itoa(cpu)}
	if data == nil {
		args = append(args, "--via", "ring", "--path", path)
	} else {
		args = append(args, "--via", "stream")
	}
	cmd := exec.Command(exe, args...)
	cmd.Stderr = new(bytes.Buffer)
	dieWithParent(cmd)
	if data != nil {
		cmd.ExtraFiles = []*os.File{data}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Launch(cmd); err != nil {
		return nil, fmt.Errorf("cannot start the %s: %w", role, err)
	}
	p := &demoProcess{role: role, cmd: cmd, wire: newDemoWire(stdout, stdin), stdin: stdin, events: events,
		quit: make(chan struct{}), exited: make(chan struct{})}
	go p.listen()
	return p, nil
}

func (p *demoProcess) pid() int { return p.cmd.Process.Pid }

// listen passes on what the peer says, and reaps it.
func (p *demoProcess) listen() {
	for {
		var r demoReport
		if p.wire.receive(&r) != nil {
			break
		}
		p.tell(demoEvent{from: p, report: r})
	}
	err := p.cmd.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	if words := p.cmd.Stderr.(*bytes.Buffer).String(); words != "" {
		first, _, _ := bytes.Cut([]byte(words), []byte("\n"))
		err = fmt.Errorf("%w: %s", err, first)
	}
	close(p.exited)
	p.tell(demoEvent{from: p, ended: fmt.Errorf("the %s (pid %d) ended too early: %w", p.role, p.pid(), err)})
}

func (p *demoProcess) tell(e demoEvent) {
	select {
	case p.events <- e:
	case <-p.quit:
	}
}

// order gives the peer something to do. If it is gone, listen says so.
func (p *demoProcess) order(o demoOrder) { _ = p.wire.send(o) }

// partingLimit is how long a peer that was told to stop may take.
const partingLimit = 5 * time.Second

// part waits for the end of a peer that was ordered to stop.
func (p *demoProcess) part() error {
	select {
	case <-p.exited:
	case <-time.After(partingLimit):
		return fmt.Errorf("the %s (pid %d) does not stop", p.role, p.pid())
	}
	if st := p.cmd.ProcessState; !st.Success() {
		return fmt.Errorf("the %s (pid %d): %v", p.role, p.pid(), st)
	}
	return nil
}

// kill ends the peer now, and returns when it is gone. It may have gone before.
func (p *demoProcess) kill() {
	close(p.quit)
	_ = p.cmd.Process.Kill() // fails only if it is gone
	<-p.exited
	_ = p.stdin.Close()
}
