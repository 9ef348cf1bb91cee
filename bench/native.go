package bench

import (
	"embed"
	"errors"
)

// nativeSource is the C and C++ peer: rigtorp-style and slot-word rings, Vyukov's queue, a bare futex ping-pong, the raw line probe.
//
//go:embed native/*.cpp native/*.c native/*.h
var nativeSource embed.FS

// ErrNoCompiler says that the native peers cannot be built here.
var ErrNoCompiler = errors.New("bench: the native peers need g++, which is not installed: install g++ or leave them out")

// NativeResult is one run of a native command.
type NativeResult struct {
	Sample
	Verified int // messages whose first word the consumer found right: as many as were sent
	Awake    int // futexpp: waits of both sides that found the word changed already and did not sleep
}
