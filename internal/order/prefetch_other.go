//go:build !amd64 && !arm64

package order

// Prefetch would ask for the cache line at p; it does nothing on this architecture.
func Prefetch(p *byte) {}

// PrefetchWrite would ask for the cache line at p; it does nothing on this architecture.
func PrefetchWrite(p *byte) {}
