package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"ringway/bench"
)

// NATS core over TCP loopback, the server a process of its own on the CPU of the producer, all under ordinary scheduling, since under
// SCHED_FIFO its client stood still:
//
//	nats tp SIZE    one way; the client gathers messages into writes of its own size
//	nats rtt SIZE   there and back over two subjects
func init() {
	for _, size := range []int{8, 64, 64 << 10, 1 << 20} {
		for _, what := range []string{"tp", "rtt"} {
			bench.RegisterScenario(bench.Scenario{Name: fmt.Sprintf("nats %s %d", what, size),
				Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
					return attachNATS(side, dir, size, what == "rtt")
				}})
		}
	}
}

func attachNATS(side bench.Side, dir string, size int, rtt bool) (func(int), error) {
	name := filepath.Join(dir, "nats-url")
	if side == bench.ProducerSide {
		if err := startNATS(name); err != nil {
			return nil, err
		}
	}
	url, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	conn, err := nats.Connect(string(url), nats.SyncQueueLen(mostCount+1)) // a full queue would drop
	if err != nil {
		return nil, err
	}
	to := func(s bench.Side) string { return fmt.Sprintf("%t.%d.%d", rtt, size, s) } // subject by who receives
	sub, err := conn.SubscribeSync(to(side))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(sub.SetPendingLimits(-1, -1), conn.Flush(), settle()); err != nil {
		return nil, err
	}
	msg := make([]byte, size)
	there := to(1 - side)
	send := func(b []byte) error { return conn.Publish(there, b) }
	receive := func([]byte) ([]byte, error) {
		m, err := sub.NextMsg(time.Minute)
		if err != nil {
			return nil, err
		}
		return m.Data, nil
	}
	return relaxed(func(n int) {
		switch {
		case rtt:
			thereAndBack(side, msg, n, send, receive)
		case side == bench.ProducerSide:
			for i := range n {
				binary.LittleEndian.PutUint64(msg, uint64(i))
				must(send(msg))
			}
			_, err := receive(nil) // so that the server, on this CPU, has it until all is delivered
			must(err)
		default:
			for i := range n {
				b, err := receive(nil)
				must(err)
				verify(binary.LittleEndian.Uint64(b), i)
			}
			must(send(msg[:1]))
		}
	}), nil
}

// natsEnv tells a process that it is the server: the file for its address.
const natsEnv = "RINGWAY_PEERS_NATS"

// startNATS starts the server of this process, once; it ends with this process.
func startNATS(name string) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	rr, rw, err := os.Pipe()
	if err != nil {
		return err
	}
	defer rr.Close()
	c := exec.Command(exe)
	// Those of the bench would make it a side of the pair.
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "RINGWAY_BENCH_") }), natsEnv+"="+name)
	c.ExtraFiles = []*os.File{rw}
	c.Stderr = os.Stderr
	c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err = c.Start()
	rw.Close()
	if err != nil {
		return err
	}
	if _, err := rr.Read(make([]byte, 1)); err != nil {
		return errors.New("the NATS server does not come up, see its message on standard error")
	}
	return nil
}

// serveNATS is the life of that process.
func serveNATS(name string) error {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		MaxPayload: 2 << 20, MaxPending: 1 << 30})
	if err != nil {
		return err
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("peers: the NATS server does not come up")
	}
	if err := os.WriteFile(name, []byte(s.ClientURL()), 0o600); err != nil {
		return err
	}
	if _, err := os.NewFile(3, "ready").Write([]byte{1}); err != nil {
		return err
	}
	s.WaitForShutdown()
	return nil
}
