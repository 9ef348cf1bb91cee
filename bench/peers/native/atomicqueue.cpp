// Maxim Egorushkin's atomic_queue: elements that are atomic themselves (8 bytes, one value reserved), or a state beside each.
// "aq" tries, and reads the other side's index each time; "aq-wait" is push and pop, which wait inside the library without
// giving the CPU away, so not for teams; "aq-plain" is that without the shuffling of indices.
#include "../../native/scenario.h"

#if __has_include(<atomic_queue/atomic_queue.h>)

#include <atomic_queue/atomic_queue.h>
#include <new>

namespace {

constexpr size_t slots = 1024;

// Cell hides that an 8-byte element must not be 0.
template <typename T> struct Cell {
	using Value = T;
	static T in(const T &v) { return v; }
	static T out(const T &v) { return v; }
};
template <> struct Cell<P8> {
	using Value = uint64_t;
	static uint64_t in(const P8 &v) { return v.w[0] + 1; }
	static P8 out(uint64_t v) { return {{v - 1}}; }
};

template <typename T, bool Shuffle, bool SPSC> struct Queue {
	using Type = atomic_queue::AtomicQueue2<T, slots, Shuffle, true, false, SPSC>;
};
template <bool Shuffle, bool SPSC> struct Queue<P8, Shuffle, SPSC> {
	using Type = atomic_queue::AtomicQueue<uint64_t, slots, 0, Shuffle, true, false, SPSC>;
};

template <typename T, bool Shuffle, bool SPSC, bool Wait> class Ring {
	using C = Cell<T>;
	alignas(128) typename Queue<T, Shuffle, SPSC>::Type q_;

public:
	static size_t bytes(size_t) { return sizeof(Ring); }
	void init(size_t) { new (&q_) decltype(q_); }
	bool push(const T &v)
	{
		if (!Wait)
			return q_.try_push(C::in(v));
		q_.push(C::in(v));
		return true;
	}
	bool pop(T &v)
	{
		typename C::Value got;
		if (Wait)
			got = q_.pop();
		else if (!q_.try_pop(got))
			return false;
		v = C::out(got);
		return true;
	}
};

template <typename T, bool Shuffle, bool SPSC, bool Wait> Entry entry(const char *design)
{
	Entry e = Scenario<Ring<T, Shuffle, SPSC, Wait>, T>::entry(design, !SPSC);
	e.slots = slots;
	return e;
}

const bool added = add({
	entry<P8, true, true, false>("aq-spsc"),       entry<P64, true, true, false>("aq-spsc"),
	entry<P8, true, true, true>("aq-spsc-wait"),   entry<P64, true, true, true>("aq-spsc-wait"),
	entry<P8, false, true, true>("aq-spsc-plain"), entry<P64, false, true, true>("aq-spsc-plain"),
	entry<P8, true, false, false>("aq"),           entry<P64, true, false, false>("aq"),
});

} // namespace

#else
namespace {
const bool left = missing("aq", "apt-get install libatomic-queue-dev");
}
#endif
