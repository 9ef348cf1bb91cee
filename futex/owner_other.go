//go:build !linux

package futex

import (
	"errors"
	"fmt"
	"os"
)

var errPlatform = fmt.Errorf("futex: locks need Linux: %w", errors.ErrUnsupported)

func supported() error                           { return errPlatform }
func discover(uintptr, uintptr) (*region, error) { return nil, errPlatform }
func identify(*os.File) (*identity, error)       { return nil, errPlatform }
func lockHeld(*os.File, int64) (bool, error)     { return false, errPlatform }
