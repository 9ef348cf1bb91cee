// What the two processes of the native peer share, and the measurements they run.
#ifndef SERVER_H
#define SERVER_H

#include "futexpp.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

inline void cpuPause()
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	asm volatile("isb");
#endif
}

// One command: tp and rtt name a design, an element size and a number of slots; futexpp and probe only n.
struct Command {
	char what[16], design[16];
	unsigned long size, slots, n;
};

struct Control {
	struct alignas(128) Line {
		std::atomic<uint64_t> v;
	} at[2], ball[2];
	// Written by the consumer before a barrier, read by the producer after it.
	alignas(128) uint64_t verified; // messages whose first word was right
	int64_t awake;                  // waits that did not sleep, or -1
	int64_t switches;
	struct futexpp futex;
};

enum Side { Producer, Consumer };

// ringBytes returns what a command needs of memory, 0 if there is no such design or size.
size_t ringBytes(const Command &c);

// initRing zeroes the memory and makes the rings; the producer calls it before the consumer starts.
void initRing(const Command &c, char *mem);

// runRing runs tp or rtt on one side and returns how many messages had the right first word.
uint64_t runRing(const Command &c, Side side, char *mem);

#endif
