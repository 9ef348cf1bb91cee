//go:build !linux

package futex

import (
	"errors"
	"sync/atomic"
	"time"
)

func wait(*atomic.Uint32, uint32, time.Duration) error { return errors.ErrUnsupported }

func wake(*atomic.Uint32, int) (int, error) { return 0, errors.ErrUnsupported }

func waitAny([]Waiter, time.Duration) (int, error) { return -1, errNoWaitv }
