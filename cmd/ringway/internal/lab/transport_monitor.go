package lab

import (
	"errors"
	"os"
	"structs"

	"ringway/futex"
)

// A bounded buffer of whole messages in shared memory, guarded by a monitor: what the
// textbook builds first. Whoever was let in fills or uses its slot outside of the lock.

// monitorBoard is the memory of both ends; the slots follow it.
type monitorBoard struct {
	_       structs.HostLayout
	mutex   futex.Mutex
	count   uint64 // filled slots; the mutex guards it
	_       [line]byte
	notFull futex.Cond
	_       [line]byte
	filled  futex.Cond
	_       [line]byte
}

// monitorSlots is how many messages of a size the buffer holds.
func monitorSlots(size int) uint64 { return uint64(max(2, min(16, roomFor/size))) }

func openMonitor(size int) (channel, error) {
	f, err := nameless(sizeOf[monitorBoard]() + size*int(monitorSlots(size)))
	return channel{f, f, f.Close}, err
}

// monitorEnd is what the ends have in common.
type monitorEnd struct {
	*monitorBoard
	slots  []byte
	size   int
	room   uint64
	at     uint64 // of the next slot; only this end moves it
	detach func() error
}

func newMonitorEnd(f *os.File, size int) (monitorEnd, error) {
	b, rest, detach, err := attach[monitorBoard](f)
	return monitorEnd{b, rest, size, monitorSlots(size), 0, detach}, err
}

func (m *monitorEnd) slot() []byte { return m.slots[int(m.at)*m.size:][:m.size:m.size] }

// until waits outside of the lock while count is what it must not be.
func (m *monitorEnd) until(not uint64, changed *futex.Cond) error {
	if err := m.mutex.Lock(); err != nil {
		return err
	}
	for m.count == not {
		if err := changed.Wait(&m.mutex); err != nil {
			return err
		}
	}
	return m.mutex.Unlock()
}

// pass hands the slot to the other side.
func (m *monitorEnd) pass(by uint64, changed *futex.Cond) error {
	m.at = (m.at + 1) % m.room
	if err := m.mutex.Lock(); err != nil {
		return err
	}
	m.count += by
	return errors.Join(changed.Signal(), m.mutex.Unlock())
}

func (m *monitorEnd) Close() error { return m.detach() }

type monitorSender struct{ monitorEnd }

func (m *monitorSender) next() ([]byte, error) { return m.slot(), m.until(m.room, &m.notFull) }
func (m *monitorSender) send() error           { return m.pass(1, &m.filled) }

type monitorReceiver struct{ monitorEnd }

func (m *monitorReceiver) next() ([]byte, error) { return m.slot(), m.until(0, &m.filled) }
func (m *monitorReceiver) done() error           { return m.pass(^uint64(0), &m.notFull) }
