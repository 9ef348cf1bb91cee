// What the processes of the native peer share, and the measurements they run.
#ifndef SERVER_H
#define SERVER_H

#include "futexpp.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <time.h>

inline void cpuPause()
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	asm volatile("isb");
#endif
}

// One command: tp, batch, rtt, timed, tp2 and batch2 name a design, an element size and a number of slots; futexpp and probe only n.
struct Command {
	char what[16], design[16];
	unsigned long size, slots, n;
};

enum Side { Producer, Consumer };

constexpr unsigned maxTeam = 2; // processes a side

// Member says which of how many a process is, on its side.
struct Member {
	Side side;
	unsigned index, count;
};

// Account is what a member can tell of its elements: how many carried what they had to, and the sum of their numbers.
struct Account {
	uint64_t good, sum;
};

struct Control {
	struct alignas(128) Line {
		std::atomic<uint64_t> v;
	} at[2], ball[2], team[2 * maxTeam];
	// Written by the members before a barrier, read by the first producer after it.
	alignas(128) Account account[2 * maxTeam];
	int64_t awake; // waits that did not sleep, or -1
	int64_t switches;
	struct futexpp futex;
};

// Entry is a design at one element size.
struct Entry {
	const char *design;
	size_t size;
	bool batches, many;                      // has a batch API; may have several processes a side
	size_t (*bytes)(size_t slots);           // of memory
	void (*init)(const Command &, char *mem); // makes the rings; the first producer calls it before anybody starts
	Account (*run)(const Command &, const Member &, char *mem);
	size_t slots = 0;                        // the only number it can have, if any
	bool threads = false;                    // its sides are two threads of one process: it cannot live in shared memory
	bool sleeps = false;                     // waits in the kernel
	bool answers = false;                    // has a round trip only
	bool timed = false;                      // can tell when each round trip ended
};

// nanoseconds reads the clock.
inline uint64_t nanoseconds()
{
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return uint64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// instants are n + 1 readings of the clock, which a timed command of n round trips fills: its start, and the end of each.
uint64_t *instants(size_t n);

// What follows is called before main, from the file that has the design. The results serve to make the call.

// add makes designs known.
bool add(std::initializer_list<Entry> entries);

// missing says that a design was left out when this was built, and what to do.
bool missing(const char *design, const char *todo);

// beforeFork has f called in the only process there is yet, to open what all shall inherit.
bool beforeFork(void (*f)());
void runBeforeFork();

constexpr size_t ringMax = size_t(64) << 20; // bytes of memory for the rings of a command

// parse returns what is wrong with the line, or nullptr.
const char *parse(const char *line, Command &c);

// find returns the design that a command names, or nullptr.
const Entry *find(const Command &c);

// teamed says whether a command is for several processes a side.
bool teamed(const Command &c);

// list prints every command there is: what, design, size, slots or 0, and what marks it; and what is missing.
void list();

#endif
