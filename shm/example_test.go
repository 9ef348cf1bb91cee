//go:build linux

package shm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
