//go:build !amd64 && !arm64

package order

// Pause would tell the processor that this is a spin-wait loop; it does
// nothing on this architecture.
func Pause() {}
