//go:build !linux

package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ringway/layout"
)

var errPlatform = fmt.Errorf("ringway needs Linux (futex, memfd, open file description locks): %w", errors.ErrUnsupported)

func platform() error { return errPlatform }
func create(string, layout.Geometry, fs.FileMode, *Options) (*Segment, error) {
	return nil, errPlatform
}
func createTemp(layout.Geometry, *Options) (*Segment, error) { return nil, errPlatform }
func open(string, bool, *Options) (*Segment, error)          { return nil, errPlatform }
func openFile(*os.File, *Options) (*Segment, error)          { return nil, errPlatform }
func (s *Segment) hugeBytes() (int64, error)                 { return 0, errPlatform }
func remove(string) error                                    { return errPlatform }
func (s *Segment) release() error                            { return errPlatform }
func (s *Segment) ownedByUs() error                          { return errPlatform }
func (s *Segment) lock(int64) (bool, error)                  { return false, errPlatform }
func (s *Segment) unlock(int64) error                        { return errPlatform }
func (s *Segment) locked(int64) (bool, error)                { return false, errPlatform }
func newOrigin() layout.Origin                               { return layout.Origin{} }
func processName() string                                    { return "" }
func startTime(int) uint64                                   { return 0 }

// Stopped reports whether a process is stopped, as far as the system tells.
func Stopped(int) bool { return false }

// ProcessOf says what a process is doing, as far as the system tells.
func ProcessOf(int, uint64) Process { return ProcessUnknown }

// sysv is Linux only.
type sysv struct{}

func (s *Segment) heldSlots() ([]int, error) { return nil, errPlatform }
func (s *Segment) kernelCount() (int, error) { return -1, errPlatform }

// RemoveAbandoned needs Linux.
func RemoveAbandoned(string) (bool, error) { return false, errPlatform }

// ListSysV needs Linux.
func ListSysV() ([]string, error) { return nil, errPlatform }
