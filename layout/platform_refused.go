//go:build !(amd64 || arm64 || loong64 || mips64le || ppc64le || riscv64)

package layout

// The segment format is little-endian with 64-bit words that are read and
// written atomically. A platform without them is refused here, by the compiler.
var _ = ringway_needs_a_64_bit_little_endian_platform
