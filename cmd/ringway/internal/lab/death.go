package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"structs"
	"time"

	"ringway/futex"
	"ringway/internal/order"
)

// Holdings are what a process can hold when it dies, in the order in which they are shown.
var Holdings = []string{"word", "mutex", "semaphore", "ring"}

// DeathRow is what the death of a holder did.
type DeathRow struct {
	Held    string        `json:"held"`
	PID     int           `json:"pid"` // of the process that was killed
	Free    bool          `json:"free"`
	After   time.Duration `json:"after_ns"` // the kill, until the next one had it or gave up
	Said    string        `json:"said"`     // what the next one was told, if anything
	Found   string        `json:"found"`    // what the dead left behind
	Becomes string        `json:"becomes"`  // and what became of it
}

// deathBoard is two accounts, between which the victim moves money, and what guards them.
type deathBoard struct {
	_       structs.HostLayout
	entered word // the victim is in its critical section
	lock    word // a textbook's test-and-set lock
	from    word
	to      word
	moving  word // what has left one account and not come to the other
	guards
}

const (
	allMoney = 100
	someOfIt = 10
)

// waitBefore is how long the next process stands at the lock before its holder is killed,
// so that it is asleep by then.
const waitBefore = 20 * time.Millisecond

// OwnerDeath kills a process in the middle of its critical section and looks what the next
// one gets. patience bounds the wait for what never comes.
func OwnerDeath(ctx context.Context, held string, patience time.Duration) (row DeathRow, err error) {
	row.Held, row.Said = held, "nothing"
	memory, err := nameless(sizeOf[deathBoard]())
	if err != nil {
		return row, err
	}
	defer memory.Close()
	b, _, detach, err := attach[deathBoard](memory)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, detach()) }()
	b.from.Store(allMoney)
	if err := b.prepare(1); err != nil {
		return row, err
	}
	j := job{Lab: "victim", Name: "victim", Guard: held, CPU: -1, files: []*os.File{memory}}
	next := b.afterLock
	switch held {
	case "word":
		next = func(ctx context.Context, row *DeathRow) error { return b.afterWord(ctx, row, patience) }
	case "semaphore":
		next = b.afterSemaphore
	case "ring":
		s, err := messageRing()
		if err != nil {
			return row, err
		}
		defer s.Close()
		j.files = append(j.files, s.File())
		next = func(ctx context.Context, row *DeathRow) error { return afterRing(ctx, row, s) }
	}
	err = killed(ctx, j, b, &row, next)
	return row, err
}

// killed starts the victim, has next wait for what it holds, and kills it.
func killed(ctx context.Context, j job, b *deathBoard, row *DeathRow, next func(context.Context, *DeathRow) error) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find our own binary: %w", err)
	}
	w, err := start(exe, j)
	if err != nil {
		return err
	}
	gone := make(chan error, 1)
	go func() { gone <- w.wait() }()
	defer func() {
		_ = w.cmd.Process.Kill() // fails only if it is gone
		<-gone
	}()
	row.PID = w.PID()
	for b.entered.Load() == 0 { // observes what the victim did before; pairs with victimWork
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-gone:
			gone <- err
			return errors.Join(err, errors.New("the victim ended before it was killed"))
		case <-time.After(time.Millisecond):
		}
	}
	had := make(chan error, 1)
	go func() { had <- next(ctx, row) }()
	select { // it returns early only if it fails, or gets what is still held
	case err := <-had:
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return errors.Join(err, fmt.Errorf("what the victim (pid %d) held was free before it died; this is a bug", row.PID))
	case <-time.After(waitBefore):
	}
	died := now()
	_ = w.cmd.Process.Kill()
	err = <-had
	row.After = time.Duration(now() - died)
	return err
}

func init() { works["victim"] = victimWork }

// victimWork takes what it is told to, does half of what it wants to do, and waits for its
// end.
func victimWork(j *job) (any, error) {
	b, _, _, err := attach[deathBoard](j.file(0))
	if err != nil {
		return nil, err
	}
	switch j.Guard {
	case "word":
		if !b.lock.CompareAndSwap(0, uint64(os.Getpid())) {
			return nil, errors.New("the lock is not free")
		}
	case "mutex":
		err = b.mutex.Lock()
	case "semaphore":
		err = b.inside.Acquire(1)
	case "ring":
		err = pushAndHalf(j)
	}
	if err != nil {
		return nil, err
	}
	b.moving.Store(someOfIt)
	b.from.Store(b.from.Load() - someOfIt)
	b.entered.Store(1) // publishes the half that is done; pairs with the load in killed
	for {
		time.Sleep(time.Hour)
	}
}

// afterWord waits for a lock whose holder nobody knows to be dead.
func (b *deathBoard) afterWord(ctx context.Context, row *DeathRow, patience time.Duration) error {
	for until := now() + uint64(waitBefore+patience); now() < until; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if b.lock.CompareAndSwap(0, 1) {
			row.Free = true
			return nil
		}
		order.Pause()
	}
	row.Said = "nothing"
	row.Found, row.Becomes = b.money(), "whoever locks waits for ever"
	return nil
}

func (b *deathBoard) money() string {
	return fmt.Sprintf("%d of %d", b.from.Load()+b.to.Load(), allMoney)
}

// afterLock is told of the death, repairs what the dead left half done, and goes on.
func (b *deathBoard) afterLock(ctx context.Context, row *DeathRow) error {
	err := b.mutex.LockContext(ctx)
	if !errors.Is(err, futex.ErrOwnerDead) {
		return errors.Join(err, errors.New("nobody said that the owner died; this is a bug"))
	}
	row.Free, row.Said, row.Found = true, "ErrOwnerDead", b.money()
	b.from.Store(b.from.Load() + b.moving.Load())
	b.moving.Store(0)
	if err := b.mutex.Recovered(); err != nil {
		return err
	}
	if err := b.mutex.Unlock(); err != nil {
		return err
	}
	if err := b.mutex.LockContext(ctx); err != nil { // as if nothing had been
		return err
	}
	row.Becomes = "repaired, " + b.money()
	return b.mutex.Unlock()
}

// afterSemaphore gets the permit of the dead, and is told nothing: a permit guards how many
// there are, not what they do.
func (b *deathBoard) afterSemaphore(ctx context.Context, row *DeathRow) error {
	if err := b.inside.AcquireContext(ctx, 1); err != nil {
		return err
	}
	row.Free, row.Said, row.Found, row.Becomes = true, "nothing", b.money(), "the permit came back"
	return b.inside.Release(1)
}
