package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"ringway/layout"
)

// A System V segment appears before it is a ring, so what a creator that died left must be told
// from what another program made, and only the former be removed.

// removeSysV is Remove of a System V segment.
func removeSysV(path string, key int) error {
	if key == 0 {
		return fmt.Errorf("remove %s: %w", path, errNoKey)
	}
	id, err := unix.SysvShmGet(key, 0, 0)
	if errors.Is(err, unix.ENOENT) {
		sweepLocks(key, "")
		return fmt.Errorf("remove %s: there is no such ring: %w", path, err)
	}
	if err == nil {
		err = removeID(key, id)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// unused reports whether the creator is dead and nobody has the segment attached. It waits a
// while for those who just find out that it is half a ring.
func (v *sysv) unused() (bool, error) {
	for end := time.Now().Add(creating); ; time.Sleep(attachPause) {
		st, err := v.stat()
		switch {
		case err != nil:
			return false, removed(err)
		case !gone(st.Cpid):
			return false, nil
		case st.Nattch == 0:
			return true, nil
		case time.Now().After(end):
			return false, nil
		}
	}
}

// removed is errGone where the kernel says that there is no such segment any more.
func removed(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EIDRM) {
		return errGone
	}
	return err
}

// removeID removes the segment number id if it is a ring, or was to become one: the creator of that
// died before the first byte, so all are zero, and nobody uses it. Another program's has users or contents.
func removeID(key, id int) error {
	mem, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
	if err != nil {
		return fmt.Errorf("shmat: %w", removed(err))
	}
	foreign := fmt.Errorf("%w: it does not begin like a ring; remove it with ipcrm -M %#x if you know what it is", ErrFormat, uint32(key))
	ring := layout.HasMagic(mem)
	if !ring {
		blank := len(mem) >= layout.HeaderSize && zero(mem[:layout.HeaderSize])
		_ = unix.SysvShmDetach(mem) // of what was just attached, it cannot fail; nor below
		if !blank {
			return foreign
		}
		if free, err := (&sysv{key: key, id: id}).unused(); err != nil {
			return err
		} else if !free {
			return foreign
		}
		if mem, err = unix.SysvShmAttach(id, 0, unix.SHM_RDONLY); err != nil {
			return fmt.Errorf("shmat: %w", removed(err))
		}
	}
	defer unix.SysvShmDetach(mem)
	if !ring && !zero(mem) {
		return foreign
	}
	if _, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil); err != nil {
		return fmt.Errorf("shmctl IPC_RMID: %w", err)
	}
	if ring && len(mem) >= layout.HeaderSize {
		_ = unix.Unlink(lockPathOf(key, mem[idOff:idOff+16])) // named by the id of what is gone now; who uses it has it open
	}
	return nil
}

// clearSysV removes what is in the way of a new segment: one that its creator died over,
// or a marked one whose last user was killed.
func clearSysV(key int) bool {
	id, err := unix.SysvShmGet(key, 0, 0)
	if err != nil {
		return errors.Is(err, unix.ENOENT)
	}
	v := &sysv{key: key, id: id}
	st, err := v.stat()
	if err != nil {
		return false
	}
	mem, err := unix.SysvShmAttach(id, 0, unix.SHM_RDONLY)
	if err != nil {
		return false
	}
	page := bytes.Clone(mem[:min(len(mem), layout.HeaderSize)])
	_ = unix.SysvShmDetach(mem)
	if len(page) < layout.HeaderSize || !layout.HasMagic(page) && !zero(page) {
		return false
	}
	if binary.LittleEndian.Uint64(page[readyOff:]) != layout.Ready {
		if !gone(st.Cpid) {
			return false
		}
		err := removeID(key, id)
		return err == nil || errors.Is(err, errGone)
	}
	done, err := RemoveAbandoned(SysVName(key))
	return done || errors.Is(err, fs.ErrNotExist)
}
