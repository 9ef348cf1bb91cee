//go:build !amd64 && !arm64

package order

// PrefetchWrite would ask for the cache line at p; it does nothing on this architecture.
func PrefetchWrite(p *byte) {}

// PrefetchEach would ask for the lines of eight blocks; it does nothing on this architecture.
func PrefetchEach(words *uint64, mask uint64, base *byte, stride uint64) {}

// PrefetchEachWrite would ask for the lines of eight blocks; it does nothing on this architecture.
func PrefetchEachWrite(words *uint64, mask uint64, base *byte, stride uint64) {}
