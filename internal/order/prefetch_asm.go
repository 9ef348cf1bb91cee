//go:build amd64 || arm64

package order

// Prefetch asks for the cache line at p, to be read soon. PREFETCHT0 on amd64, PRFM
// PLDL1KEEP on arm64.
//
//go:noescape
func Prefetch(p *byte)

// PrefetchWrite asks for the cache line at p, to be written soon. PREFETCHW on amd64,
// PRFM PSTL1KEEP on arm64.
//
//go:noescape
func PrefetchWrite(p *byte)
