package main

import (
	"os"
	"testing"
)

// TestMain lets the tests run the real command as a process of its own: this binary
// with RINGWAY_TEST_MAIN set is ringway.
func TestMain(m *testing.M) {
	if os.Getenv("RINGWAY_TEST_MAIN") != "" {
		prepareTestProcess()
		main()
	}
	os.Exit(m.Run())
}
