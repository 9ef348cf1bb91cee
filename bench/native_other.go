//go:build !linux

package bench

import (
	"context"
	"errors"
	"time"
)

// Native is the running native peer; it exists on Linux only.
type Native struct{ Patience time.Duration }

// BuildNative returns errors.ErrUnsupported here.
func BuildNative(ctx context.Context) (string, error) { return "", errors.ErrUnsupported }

// StartNative returns errors.ErrUnsupported here.
func StartNative(path string, cpus [2]int) (*Native, error) { return nil, errors.ErrUnsupported }

// Do returns errors.ErrUnsupported here.
func (n *Native) Do(cmd string) (float64, error) { return 0, errors.ErrUnsupported }

// Run returns errors.ErrUnsupported here.
func (n *Native) Run(cmd string) (NativeResult, error) { return NativeResult{}, errors.ErrUnsupported }

// Close does nothing here.
func (n *Native) Close() error { return nil }
