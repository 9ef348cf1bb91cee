package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"gvisor.dev/gvisor/pkg/flipcall"

	"ringway/bench"
)

// flipcall rtt SIZE: gVisor's flipcall, one slot for request and answer, in place. It has no queue, so there is no stream of it.
func init() {
	for _, size := range []int{8, 64, 64 << 10} {
		bench.RegisterScenario(bench.Scenario{Name: fmt.Sprintf("flipcall rtt %d", size),
			Attach: func(side bench.Side, dir string, _ []byte) (func(int), error) {
				f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("flipcall-%d", size)), os.O_RDWR|os.O_CREATE, 0o600)
				if err != nil {
					return nil, err
				}
				length := flipcall.PacketWindowLengthForDataCap(uint32(size))
				if err := f.Truncate(int64(length)); err != nil {
					return nil, err
				}
				window := flipcall.PacketWindowDescriptor{FD: int(f.Fd()), Length: length}
				if side == bench.ProducerSide {
					ep, err := flipcall.NewEndpoint(flipcall.ClientSide, window)
					return undisturbed(flipcallClient(ep, size)), errorsOr(err, settle)
				}
				ep, err := flipcall.NewEndpoint(flipcall.ServerSide, window)
				if err != nil {
					return nil, err
				}
				return undisturbed(flipcallServer(ep, size)), settle()
			}})
	}
}

func errorsOr(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func flipcallClient(ep *flipcall.Endpoint, size int) func(int) {
	connected := false
	msg := make([]byte, size)
	return func(n int) {
		if !connected {
			must(ep.Connect())
			connected = true
		}
		for i := range n {
			binary.LittleEndian.PutUint64(msg, uint64(i))
			copy(ep.Data(), msg)
			got, err := ep.SendRecv(uint32(size))
			must(err)
			copy(msg, ep.Data()[:got])
			verify(binary.LittleEndian.Uint64(msg), i)
		}
	}
}

// flipcallServer answers for ever in a goroutine of its own, since an answer waits for the next request; a run is over when n
// were answered.
func flipcallServer(ep *flipcall.Endpoint, size int) func(int) {
	runs, done := make(chan int), make(chan struct{})
	go func() {
		msg := make([]byte, size)
		got, err := ep.RecvFirst()
		must(err)
		for n := range runs {
			for i := range n {
				copy(msg, ep.Data()[:got])
				verify(binary.LittleEndian.Uint64(msg), i)
				copy(ep.Data(), msg)
				if i == n-1 {
					done <- struct{}{}
				}
				got, err = ep.SendRecv(uint32(size))
				must(err)
			}
		}
	}()
	return func(n int) {
		runs <- n
		<-done // the last answer comes out during the nap
	}
}
