// The scenarios over one kind of ring, for every design alike. A ring has bytes(slots), init(slots) on zeroed memory, push and
// pop; pushN and popN too if it has a batch API.
#ifndef SCENARIO_H
#define SCENARIO_H

#include "server.h"

#include <cstring>
#include <sched.h>
#include <type_traits>

template <size_t Words> struct Payload {
	uint64_t w[Words];
};

using P8 = Payload<1>;
using P64 = Payload<8>;
using P256 = Payload<32>;

// materialise makes the compiler keep a whole copy, as a caller would who uses it.
template <typename T> void materialise(T &v) { asm volatile("" : : "r"(&v) : "memory"); }

// Patience gives the CPU away after 64 tries in a row without progress: a team has more processes than CPUs.
class Patience {
	unsigned tries_ = 0;

public:
	void progress() { tries_ = 0; }
	void none()
	{
		if (++tries_ == 64) {
			tries_ = 0;
			sched_yield();
		}
	}
};

// Haste never gives the CPU away: each process has one to itself.
struct Haste {
	void progress() {}
	void none() {}
};

template <typename Ring, typename T, typename = void> struct HasBatches : std::false_type {
};
template <typename Ring, typename T>
struct HasBatches<Ring, T, std::void_t<decltype(std::declval<Ring &>().pushN(std::declval<T *>(), 1))>> : std::true_type {
};

template <typename Ring, typename T> struct Scenario {
	static constexpr uint64_t batch = 32;

	static size_t oneRing(size_t slots) { return (Ring::bytes(slots) + 4095) & ~size_t(4095); }

	static uint64_t ping(Ring &out, Ring &back, uint64_t n)
	{
		T v{};
		uint64_t good = 0;
		for (uint64_t i = 0; i < n; i++) {
			v.w[0] = i;
			materialise(v);
			while (!out.push(v))
				cpuPause();
			while (!back.pop(v))
				cpuPause();
			materialise(v);
			good += v.w[0] == i;
		}
		return good;
	}

	// pingTimed is ping with the clock after each round trip.
	static uint64_t pingTimed(Ring &out, Ring &back, uint64_t n, uint64_t *at)
	{
		T v{};
		uint64_t good = 0;
		at[0] = nanoseconds();
		for (uint64_t i = 0; i < n; i++) {
			v.w[0] = i;
			materialise(v);
			while (!out.push(v))
				cpuPause();
			while (!back.pop(v))
				cpuPause();
			materialise(v);
			good += v.w[0] == i;
			at[i + 1] = nanoseconds();
		}
		return good;
	}

	static uint64_t pong(Ring &in, Ring &back, uint64_t n)
	{
		T v{};
		uint64_t good = 0;
		for (uint64_t i = 0; i < n; i++) {
			while (!in.pop(v))
				cpuPause();
			materialise(v);
			good += v.w[0] == i;
			while (!back.push(v))
				cpuPause();
		}
		return good;
	}

	// An element of a stream carries its producer and running number.
	static uint64_t mark(unsigned producer, uint64_t i) { return uint64_t(producer) << 48 | i; }

	template <typename Wait> static uint64_t produce(Ring &r, uint64_t n, unsigned me)
	{
		T v{};
		Wait wait;
		for (uint64_t i = 0; i < n; i++) {
			v.w[0] = mark(me, i);
			materialise(v);
			while (!r.push(v))
				wait.none();
			wait.progress();
		}
		return n;
	}

	template <typename Wait> static uint64_t produceN(Ring &r, uint64_t n, unsigned me)
	{
		T v[batch]{};
		Wait wait;
		for (uint64_t i = 0; i < n;) {
			const uint64_t k = n - i < batch ? n - i : batch;
			for (uint64_t j = 0; j < k; j++)
				v[j].w[0] = mark(me, i + j);
			materialise(v);
			for (uint64_t done = 0; done < k;) {
				const uint64_t m = r.pushN(v + done, k - done);
				done += m;
				m ? wait.progress() : wait.none();
			}
			i += k;
		}
		return n;
	}

	// Order keeps the account of a stream: from each producer the numbers must rise, and the sum tells that none is missing.
	class Order {
		uint64_t next_[maxTeam] = {}, sum_ = 0, good_ = 0;

	public:
		void saw(uint64_t m)
		{
			const uint64_t i = m & ((uint64_t(1) << 48) - 1), p = m >> 48;
			if (p < maxTeam && i >= next_[p]) {
				next_[p] = i + 1;
				good_++;
			}
			sum_ += i;
		}
		Account account() const { return {good_, sum_}; }
	};

	template <typename Wait> static Account consume(Ring &r, uint64_t n)
	{
		T v{};
		Wait wait;
		Order order;
		for (uint64_t i = 0; i < n; i++) {
			while (!r.pop(v))
				wait.none();
			wait.progress();
			materialise(v);
			order.saw(v.w[0]);
		}
		return order.account();
	}

	template <typename Wait> static Account consumeN(Ring &r, uint64_t n)
	{
		T v[batch];
		Wait wait;
		Order order;
		for (uint64_t i = 0; i < n;) {
			const uint64_t k = r.popN(v, n - i < batch ? n - i : batch);
			k ? wait.progress() : wait.none();
			materialise(v);
			for (uint64_t j = 0; j < k; j++)
				order.saw(v[j].w[0]);
			i += k;
		}
		return order.account();
	}

	template <typename Wait> static Account stream(const Command &c, const Member &m, Ring &r)
	{
		const uint64_t n = c.n / m.count;
		if constexpr (HasBatches<Ring, T>::value)
			if (!strncmp(c.what, "batch", 5))
				return m.side == Producer ? Account{produceN<Wait>(r, n, m.index), 0} : consumeN<Wait>(r, n);
		return m.side == Producer ? Account{produce<Wait>(r, n, m.index), 0} : consume<Wait>(r, n);
	}

	static Account run(const Command &c, const Member &m, char *mem)
	{
		Ring &a = *reinterpret_cast<Ring *>(mem), &b = *reinterpret_cast<Ring *>(mem + oneRing(c.slots));
		if (!strcmp(c.what, "timed") && m.side == Producer)
			return {pingTimed(a, b, c.n, instants(c.n)), c.n * (c.n - 1) / 2};
		if (!strcmp(c.what, "rtt") || !strcmp(c.what, "timed"))
			return {m.side == Producer ? ping(a, b, c.n) : pong(a, b, c.n), c.n * (c.n - 1) / 2};
		return m.count > 1 ? stream<Patience>(c, m, a) : stream<Haste>(c, m, a);
	}

	static void init(const Command &c, char *mem)
	{
		memset(mem, 0, 2 * oneRing(c.slots));
		reinterpret_cast<Ring *>(mem)->init(c.slots);
		reinterpret_cast<Ring *>(mem + oneRing(c.slots))->init(c.slots);
	}

	// entry says under which name the ring is measured; many: by several processes a side.
	static Entry entry(const char *design, bool many = false)
	{
		Entry e = {design, sizeof(T), HasBatches<Ring, T>::value, many, [](size_t slots) { return 2 * oneRing(slots); }, init, run};
		e.timed = true;
		return e;
	}
};

#endif
