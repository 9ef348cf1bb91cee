//go:build !linux

// Command peers measures Ringway beside what people would use instead; Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "peers: the benchmark needs Linux")
	os.Exit(1)
}
