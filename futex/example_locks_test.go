//go:build linux

package futex_test

import (
	"errors"
	"fmt"
	"sync"

	"ringway/futex"
)

// Buffer is a monitor: a mutex, what it guards, and a condition for each thing that is waited for. It has
// no pointers, so it works in shared memory between processes as it does here.
type Buffer struct {
	mutex      futex.Mutex
	notEmpty   futex.Cond
	notFull    futex.Cond
	items      [4]int64
	taken, put int64 // ever taken; ever put
}

// enter looks at how a lock was got. Each change of the buffer is one store, of put or of taken, so who
// died inside left nothing half done and there is nothing to repair.
func (b *Buffer) enter(err error) error {
	if errors.Is(err, futex.ErrOwnerDead) {
		return b.mutex.Recovered()
	}
	return err
}

func (b *Buffer) Put(v int64) error {
	if err := b.enter(b.mutex.Lock()); err != nil {
		return err
	}
	for b.put-b.taken == int64(len(b.items)) {
		if err := b.enter(b.notFull.Wait(&b.mutex)); err != nil {
			return err
		}
	}
	b.items[b.put%int64(len(b.items))] = v
	b.put++
	if err := b.mutex.Unlock(); err != nil {
		return err
	}
	return b.notEmpty.Signal()
}

func (b *Buffer) Get() (int64, error) {
	if err := b.enter(b.mutex.Lock()); err != nil {
		return 0, err
	}
	for b.put == b.taken {
		if err := b.enter(b.notEmpty.Wait(&b.mutex)); err != nil {
			return 0, err
		}
	}
	v := b.items[b.taken%int64(len(b.items))]
	b.taken++
	if err := b.mutex.Unlock(); err != nil {
		return 0, err
	}
	return v, b.notFull.Signal()
}

// A monitor is a Mutex and one Cond for each thing that is waited for.
func Example_monitor() {
	var buffer Buffer
	var wg sync.WaitGroup
	wg.Go(func() {
		for v := range int64(1000) {
			if err := buffer.Put(v + 1); err != nil {
				panic(err)
			}
		}
	})
	sum := int64(0)
	for range 1000 {
		v, err := buffer.Get()
		if err != nil {
			panic(err)
		}
		sum += v
	}
	wg.Wait()
	fmt.Println("sum", sum)
	// Output: sum 500500
}

// The textbook's bounded buffer with two semaphores: what one side uses up the other posts.
func ExampleSemaphore() {
	var free, full futex.Semaphore
	var buffer [4]int
	if err := free.Post(len(buffer)); err != nil { // a zero Semaphore has no permits
		panic(err)
	}
	go func() {
		for i := range 100 {
			must(free.Acquire(1)) // P
			buffer[i%len(buffer)] = i
			must(free.Spend(1)) // it is a full place now,
			must(full.Post(1))  // V
		}
	}()
	sum := 0
	for i := range 100 {
		must(full.Acquire(1))
		sum += buffer[i%len(buffer)]
		must(full.Spend(1))
		must(free.Post(1))
	}
	fmt.Println("sum", sum)
	// Output: sum 4950
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
