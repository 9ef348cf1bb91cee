//go:build linux

package lab

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A POSIX message queue on Linux is a descriptor like any other. mq_open wants a name for
// it, which goes away before anybody else sees the queue; workers inherit the descriptor.

// queueAttr is struct mq_attr of the kernel.
type queueAttr struct {
	flags, maxMsg, msgSize, curMsgs int64
	_                               [4]int64
}

// queueDepths are how many messages a queue may hold, tried from the first on: the kernel
// limits them (fs.mqueue.msg_max), and together with their size (RLIMIT_MSGQUEUE).
var queueDepths = []int64{10, 4, 2, 1}

// openQueue makes a queue for messages of size bytes.
func openQueue(size int) (channel, error) {
	name, err := unix.BytePtrFromString(fmt.Sprintf("ringway-lab-%d", os.Getpid()))
	if err != nil {
		return channel{}, err
	}
	var errno unix.Errno
	for _, depth := range queueDepths {
		attr := queueAttr{maxMsg: depth, msgSize: int64(size)}
		fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600,
			uintptr(unsafe.Pointer(&attr)), 0, 0)
		if e == 0 {
			_, _, e = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
			f := os.NewFile(fd, "mq")
			if e != 0 {
				f.Close()
				return channel{}, fmt.Errorf("cannot unlink a message queue: %w", e)
			}
			return channel{f, f, f.Close}, nil
		}
		errno = e
	}
	switch errno {
	case unix.EINVAL:
		return channel{}, fmt.Errorf("%w: fs.mqueue.msgsize_max", errTooLarge)
	case unix.EMFILE, unix.ENOMEM:
		return channel{}, fmt.Errorf("%w: RLIMIT_MSGQUEUE (ulimit -q)", errTooLarge)
	case unix.ENOSYS, unix.EACCES, unix.EPERM:
		return channel{}, fmt.Errorf("%w: mq_open: %w", errNotHere, errno)
	}
	return channel{}, fmt.Errorf("cannot make a message queue: %w", errno)
}

// queueEnd sends; queueReceiver receives.
type queueEnd struct {
	f      *os.File
	buffer []byte
}

func (q *queueEnd) next() ([]byte, error) { return q.buffer, nil }

func (q *queueEnd) send() error {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, q.f.Fd(), uintptr(unsafe.Pointer(&q.buffer[0])), uintptr(len(q.buffer)), 0, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("mq_send: %w", errno)
		}
	}
}

func (q *queueEnd) Close() error { return q.f.Close() }

type queueReceiver struct{ queueEnd }

func (q *queueReceiver) next() ([]byte, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, q.f.Fd(), uintptr(unsafe.Pointer(&q.buffer[0])), uintptr(len(q.buffer)), 0, 0, 0)
		switch errno {
		case 0:
			return q.buffer[:n], nil
		case unix.EINTR:
		default:
			return nil, fmt.Errorf("mq_receive: %w", errno)
		}
	}
}

func (q *queueReceiver) done() error { return nil }
