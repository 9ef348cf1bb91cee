//go:build linux

package shm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ringway/futex"
	"ringway/shm"
)

// A value that processes share: updated as a whole, or not at all.
func ExampleVar() {
	type limits struct {
		Rate  uint32
		Burst uint32
	}
	dir, err := os.MkdirTemp("", "ringway-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "limits")
	ctx := context.Background()

	admin, err := shm.CreateVar[limits](path, 0o600)
	if err != nil {
		panic(err)
	}
	defer admin.Close()
	server, err := shm.OpenVar[limits](path) // usually in another process
	if err != nil {
		panic(err)
	}
	defer server.Close()

	err = admin.Update(ctx, func(l *limits) error { l.Rate, l.Burst = 100, 10; return nil })
	fmt.Println(err, server.Changed(ctx), server.Load())

	err = admin.Update(ctx, func(l *limits) error {
		if l.Rate *= 20; l.Rate > 1000 {
			return errors.New("too much")
		}
		return nil
	})
	fmt.Println(err, server.Load())
	// Output:
	// <nil> <nil> {100 10}
	// too much {100 10}
}

// Stock is a monitor in shared memory: what its mutex guards, the mutex, and a condition.
type Stock struct {
	mutex futex.Mutex
	more  futex.Cond
	count int64
}

// lock repairs what an owner that died left: here nothing, each change is one store.
func (s *Stock) lock(err error) error {
	if errors.Is(err, futex.ErrOwnerDead) {
		return s.mutex.Recovered()
	}
	return err
}

func (s *Stock) Add(n int64) error {
	if err := s.lock(s.mutex.Lock()); err != nil {
		return err
	}
	s.count += n
	return errors.Join(s.more.Broadcast(), s.mutex.Unlock())
}

func (s *Stock) Take(n int64) error {
	if err := s.lock(s.mutex.Lock()); err != nil {
		return err
	}
	for s.count < n {
		if err := s.lock(s.more.Wait(&s.mutex)); err != nil {
			return err
		}
	}
	s.count -= n
	return s.mutex.Unlock()
}

// A struct with locks of its own, used in place by several processes.
func ExampleShared() {
	dir, err := os.MkdirTemp("", "ringway-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "stock")

	shop, err := shm.CreateShared[Stock](path, 0o600, nil)
	if err != nil {
		panic(err)
	}
	defer shop.Close()
	mill, err := shm.OpenShared[Stock](path, nil) // usually in another process
	if err != nil {
		panic(err)
	}
	defer mill.Close()

	milled := make(chan error)
	go func() { milled <- errors.Join(mill.Value().Add(2), mill.Value().Add(3)) }()
	fmt.Println(shop.Value().Take(4), <-milled, shop.Value().count)
	// Output: <nil> <nil> 1
}
