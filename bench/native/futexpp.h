// Bare futex ping-pong; see futexpp.c.
#ifndef FUTEXPP_H
#define FUTEXPP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct futexpp {
	unsigned ping __attribute__((aligned(128)));
	unsigned pong __attribute__((aligned(128)));
};

// Both return how many of their n waits found the word already changed, so that they did not sleep, or -1 if a futex call
// failed. at is NULL or gets the ns of the clock at the start and after each of n round trips.
long futexpp_ping(struct futexpp *f, unsigned n, uint64_t *at);
long futexpp_pong(struct futexpp *f, unsigned n);

#ifdef __cplusplus
}
#endif
#endif
