// After futex(2), FUTEX_WAIT and FUTEX_WAKE, https://man7.org/linux/man-pages/man2/futex.2.html: the floor of every
// blocking round trip. No spinning, no waiter flag, shared futexes. A ball is the number of the round trip.
#include "futexpp.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int serve(unsigned *word, unsigned ball)
{
	// release: pairs with the acquire in await; the kernel's own barrier makes it visible before the wake
	__atomic_store_n(word, ball, __ATOMIC_RELEASE);
	return syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? -1 : 0;
}

// await sleeps until word is ball; it returns 1 if it never slept, 0 if it did, -1 on an error.
static int await(unsigned *word, unsigned ball)
{
	int slept = 0;
	do {
		if (syscall(SYS_futex, word, FUTEX_WAIT, ball - 1, NULL, NULL, 0) == 0)
			slept = 1;
		else if (errno != EAGAIN && errno != EINTR)
			return -1;
		// acquire: observes the ball; pairs with the release in serve
	} while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != ball);
	return !slept;
}

static uint64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

long futexpp_ping(struct futexpp *f, unsigned n, uint64_t *at)
{
	long awake = 0;
	if (at)
		at[0] = clock_ns();
	for (unsigned i = 1; i <= n; i++) {
		int a;
		if (serve(&f->ping, i) || (a = await(&f->pong, i)) < 0)
			return -1;
		awake += a;
		if (at)
			at[i] = clock_ns();
	}
	return awake;
}

long futexpp_pong(struct futexpp *f, unsigned n)
{
	long awake = 0;
	for (unsigned i = 1; i <= n; i++) {
		int a;
		if ((a = await(&f->ping, i)) < 0 || serve(&f->pong, i))
			return -1;
		awake += a;
	}
	return awake;
}
