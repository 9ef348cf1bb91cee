// Package model explores the protocols at toy sizes, exhaustively: every interleaving
// of every step, with the store buffers that amd64 really has. It holds tests only.
//
// Each model is a state that can be compared and a function that lists the states one
// step away. A step is one access to shared memory, named after the function whose it
// is, so that model and code can be read side by side. A protocol is only worth as much as its
// mutants: each leaves one thing out and must be caught.
//
//	again_test.go  the exchange ring: the code itself, stopped at its failpoints (exchange_test.go)
//	park_test.go   publish, look at the parked bit, sleep: futex.Event, ring's park
//	mutex_test.go  futex.Mutex, its owners killed at any step
//	cond_test.go   futex.Cond, its waiters and signallers killed
//	sem_test.go    futex.Semaphore: who holds what, exactly, whoever is killed
//	seal_test.go   the exact end of a ring: shm.Segment.Sealed and its three callers
package model
