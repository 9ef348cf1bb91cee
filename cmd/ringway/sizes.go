package main

import (
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/dustin/go-humanize"
)

// parseSize reads a number of bytes: 65536, 64KiB, 1MiB, 64kB (decimal). Whole
// numbers only: a fraction of a ring is a slip.
func parseSize(flag, text string) (int, error) {
	digits := strings.TrimLeft(text, "0123456789")
	unit := strings.ToLower(digits)
	if len(digits) == len(text) || strings.Trim(unit, "abcdefghijklmnopqrstuvwxyz") != "" {
		return 0, usagef("--%s %q is no size; write it like 65536, 64KiB or 1MiB", flag, text)
	}
	n, err := humanize.ParseBytes(text)
	switch {
	case err != nil && strings.Contains(err.Error(), "too large"), err == nil && n > math.MaxInt64:
		return 0, usagef("--%s %s is too large", flag, text)
	case err != nil:
		return 0, usagef("--%s %q is no size; write it like 65536, 64KiB or 1MiB", flag, text)
	case n == 0:
		return 0, usagef("--%s must be more than 0", flag)
	}
	return int(n), nil
}

// powerOfTwo refuses a count that is none, and says which ones are near.
func powerOfTwo(flag, text string, n int, show func(int) string) error {
	if bits.OnesCount(uint(n)) == 1 {
		return nil
	}
	below := 1 << (bits.Len(uint(n)) - 1)
	near := show(below)
	if below <= math.MaxInt/2 {
		near += " or " + show(below*2)
	}
	return usagef("--%s %s is not a power of two; use %s", flag, text, near)
}

// exactSize writes a number of bytes without loss: 64KiB, 1MiB, 1000.
func exactSize(n int) string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	u := 0
	for n != 0 && n%1024 == 0 && u < len(units)-1 {
		n /= 1024
		u++
	}
	return fmt.Sprintf("%d%s", n, units[u])
}

// counted writes a number and what it counts: 1 slot, 2 slots.
func counted[N int | int64 | uint32 | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// roughSize writes a number of bytes for people: 1.2 MiB.
func roughSize(n uint64) string { return humanize.IBytes(n) }
