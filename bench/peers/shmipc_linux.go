package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/cloudwego/shmipc-go"

	"ringway/bench"
)

// CloudWeGo's shmipc-go, one stream of one session, under ordinary scheduling, since under SCHED_FIFO its threads hold each other up:
//
//	shmipc tp SIZE      one way, a flush for each message
//	shmipc batch SIZE   one way, a flush for 32
//	shmipc rtt SIZE     there and back
func init() {
	shmipc.SetLogLevel(6) // it would tell of each full buffer
	for _, size := range []int{8, 64, 64 << 10, 1 << 20} {
		for what, batch := range map[string]int{"tp": 1, "batch": 32, "rtt": 0} {
			bench.RegisterScenario(bench.Scenario{Name: fmt.Sprintf("shmipc %s %d", what, size),
				Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
					return attachShmipc(side, filepath.Join(dir, fmt.Sprintf("shmipc-%s-%d", what, size)), size, batch)
				}})
		}
	}
}

func attachShmipc(side bench.Side, path string, size, batch int) (func(int), error) {
	streams := make(chan *shmipc.Stream, 1)
	if side == bench.ProducerSide {
		if err := listenShmipc(path, streams); err != nil {
			return nil, err
		}
	} else if err := dialShmipc(path, streams); err != nil {
		return nil, err
	}
	var s *shmipc.Stream
	msg := make([]byte, size)
	return relaxed(func(n int) {
		if s == nil {
			s = <-streams
		}
		switch {
		case batch == 0:
			thereAndBack(side, msg, n, func(b []byte) error { return sendShmipc(s, b, true) },
				func(b []byte) ([]byte, error) { return b, receiveShmipc(s, b) })
		case side == bench.ProducerSide:
			for i := range n {
				binary.LittleEndian.PutUint64(msg, uint64(i))
				must(sendShmipc(s, msg, (i+1)%batch == 0 || i == n-1))
			}
		default:
			for i := range n {
				must(receiveShmipc(s, msg))
				verify(binary.LittleEndian.Uint64(msg), i)
			}
		}
	}), settle()
}

func sendShmipc(s *shmipc.Stream, b []byte, flush bool) error {
	if _, err := s.BufferWriter().WriteBytes(b); err != nil || !flush {
		return err
	}
	return s.Flush(false)
}

func receiveShmipc(s *shmipc.Stream, b []byte) error {
	got, err := s.BufferReader().ReadBytes(len(b))
	copy(b, got)
	s.BufferReader().ReleasePreviousRead()
	return err
}

// hello makes the stream known to the server.
const hello = "hello"

func listenShmipc(path string, streams chan<- *shmipc.Stream) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + ".sock", Net: "unix"})
	if err != nil {
		return err
	}
	go func() {
		conn, err := l.Accept()
		must(err)
		conf := shmipc.DefaultConfig()
		conf.LogOutput = io.Discard
		session, err := shmipc.Server(conn, conf)
		must(err)
		s, err := session.AcceptStream()
		must(err)
		must(receiveShmipc(s, make([]byte, len(hello))))
		streams <- s
	}()
	return nil
}

func dialShmipc(path string, streams chan<- *shmipc.Stream) error {
	conf := shmipc.DefaultSessionManagerConfig()
	conf.Network, conf.Address = "unix", path+".sock"
	conf.SessionNum = 1
	conf.ShareMemoryPathPrefix = fmt.Sprintf("%s.%d", path, os.Getpid())
	conf.QueuePath = conf.ShareMemoryPathPrefix + "_queue"
	conf.LogOutput = io.Discard
	m, err := shmipc.NewSessionManager(conf)
	if err != nil {
		return err
	}
	s, err := m.GetStream()
	if err != nil {
		return err
	}
	streams <- s
	return sendShmipc(s, []byte(hello), true)
}
