//go:build amd64 || arm64

package order

// PrefetchWrite asks for the cache line at p, to be written soon. PREFETCHW on amd64,
// PRFM PSTL1KEEP on arm64.
//
//go:noescape
func PrefetchWrite(p *byte)

// PrefetchEach asks for the lines at base + (w & mask) * stride of the eight words w from words
// on, to be read soon: PREFETCHT0 on amd64, PRFM PLDL1KEEP on arm64. It faults for no word.
//
//go:noescape
func PrefetchEach(words *uint64, mask uint64, base *byte, stride uint64)

// PrefetchEachWrite is PrefetchEach for lines to be written soon.
//
//go:noescape
func PrefetchEachWrite(words *uint64, mask uint64, base *byte, stride uint64)
