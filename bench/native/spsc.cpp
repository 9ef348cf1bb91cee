// The scenarios over the rings of spsc.h: one way, and round trip with PAUSE in the poll loop.
#include "server.h"
#include "spsc.h"

#include <cstring>

namespace {

template <size_t Words> struct Payload {
	uint64_t w[Words];
};

// materialise makes the compiler keep a whole copy, as a caller would who uses it.
template <typename T> void materialise(T &v) { asm volatile("" : : "r"(&v) : "memory"); }

template <typename Ring, typename T> struct Scenario {
	static size_t oneRing(size_t slots) { return (Ring::bytes(slots) + 4095) & ~size_t(4095); }

	static uint64_t produce(Ring &r, uint64_t n)
	{
		T v{};
		for (uint64_t i = 0; i < n; i++) {
			v.w[0] = i;
			materialise(v);
			while (!r.push(v)) {
			}
		}
		return n;
	}

	static uint64_t consume(Ring &r, uint64_t n)
	{
		T v{};
		uint64_t good = 0;
		for (uint64_t i = 0; i < n; i++) {
			while (!r.pop(v)) {
			}
			materialise(v);
			good += v.w[0] == i;
		}
		return good;
	}

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

	static uint64_t run(const Command &c, Side side, char *mem)
	{
		Ring &a = *reinterpret_cast<Ring *>(mem), &b = *reinterpret_cast<Ring *>(mem + oneRing(c.slots));
		const bool rtt = !strcmp(c.what, "rtt");
		if (side == Consumer)
			return rtt ? pong(a, b, c.n) : consume(a, c.n);
		return rtt ? ping(a, b, c.n) : produce(a, c.n);
	}

	static void init(const Command &c, char *mem)
	{
		reinterpret_cast<Ring *>(mem)->init(c.slots);
		reinterpret_cast<Ring *>(mem + oneRing(c.slots))->init(c.slots);
	}
};

struct Entry {
	const char *design;
	size_t size;
	size_t (*oneRing)(size_t slots);
	void (*init)(const Command &, char *);
	uint64_t (*run)(const Command &, Side, char *);
};

template <typename T, typename Ring> constexpr Entry entry(const char *design)
{
	using S = Scenario<Ring, T>;
	return {design, sizeof(T), S::oneRing, S::init, S::run};
}

using P8 = Payload<1>;
using P64 = Payload<8>;
using P256 = Payload<32>;

const Entry entries[] = {
	entry<P8, Rigtorp<P8, 64>>("rigtorp"),         entry<P64, Rigtorp<P64, 64>>("rigtorp"),
	entry<P256, Rigtorp<P256, 64>>("rigtorp"),     entry<P8, Rigtorp<P8, 128>>("rigtorp128"),
	entry<P64, Rigtorp<P64, 128>>("rigtorp128"),   entry<P256, Rigtorp<P256, 128>>("rigtorp128"),
	entry<P8, Seq<P8, false>>("seq"),              entry<P64, Seq<P64, false>>("seq"),
	entry<P256, Seq<P256, false>>("seq"),          entry<P8, Seq<P8, true>>("seqstep"),
	entry<P64, Seq<P64, true>>("seqstep"),         entry<P256, Seq<P256, true>>("seqstep"),
};

const Entry *find(const Command &c)
{
	for (const Entry &e : entries)
		if (!strcmp(e.design, c.design) && e.size == c.size)
			return &e;
	return nullptr;
}

} // namespace

size_t ringBytes(const Command &c)
{
	const Entry *e = find(c);
	return e ? 2 * e->oneRing(c.slots) : 0;
}

void initRing(const Command &c, char *mem)
{
	memset(mem, 0, ringBytes(c));
	find(c)->init(c, mem);
}

uint64_t runRing(const Command &c, Side side, char *mem) { return find(c)->run(c, side, mem); }
