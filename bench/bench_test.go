package bench

import (
	"os"
	"testing"

	proc "ringway/internal/child"
)

func TestMain(m *testing.M) {
	proc.Run()
	ChildMain()
	os.Exit(m.Run())
}
