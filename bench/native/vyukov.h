// After Dmitry Vyukov, bounded queue, https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue. Own code
// from the description, cell for cell the twin of the one in Go beside it. No pointers inside. Not robust: who dies after its
// claim wedges it.
#ifndef VYUKOV_H
#define VYUKOV_H

#include <atomic>
#include <cstddef>
#include <cstdint>

template <typename T> class Vyukov {
	struct Cell {
		std::atomic<uint64_t> seq; // position if free, position + 1 once full
		T value;
	};
	alignas(128) std::atomic<uint64_t> tail_;
	alignas(128) std::atomic<uint64_t> head_;
	alignas(128) uint64_t mask_;

	Cell &cell(uint64_t pos) { return reinterpret_cast<Cell *>(this + 1)[pos & mask_]; }

public:
	static size_t bytes(size_t slots) { return sizeof(Vyukov) + slots * sizeof(Cell); }
	void init(size_t slots)
	{
		mask_ = slots - 1;
		for (size_t i = 0; i < slots; i++)
			cell(i).seq.store(i, std::memory_order_relaxed); // published by the barrier before the first operation
	}

	bool push(const T &v)
	{
		for (uint64_t t = tail_.load(std::memory_order_relaxed);;) {
			Cell &c = cell(t);
			const int64_t d = int64_t(c.seq.load(std::memory_order_acquire) - t); // observes a free cell; pairs with pop
			if (d < 0)
				return false;
			if (d > 0)
				t = tail_.load(std::memory_order_relaxed);
			else if (tail_.compare_exchange_weak(t, t + 1, std::memory_order_relaxed)) { // claims; seq does the publishing
				c.value = v;
				c.seq.store(t + 1, std::memory_order_release); // publishes the cell; pairs with the acquire in pop
				return true;
			}
		}
	}

	bool pop(T &v)
	{
		for (uint64_t h = head_.load(std::memory_order_relaxed);;) {
			Cell &c = cell(h);
			const int64_t d = int64_t(c.seq.load(std::memory_order_acquire) - h - 1); // observes a full cell; pairs with push
			if (d < 0)
				return false;
			if (d > 0)
				h = head_.load(std::memory_order_relaxed);
			else if (head_.compare_exchange_weak(h, h + 1, std::memory_order_relaxed)) { // claims; seq does the publishing
				v = c.value;
				c.seq.store(h + mask_ + 1, std::memory_order_release); // passes the cell back; pairs with the acquire in push
				return true;
			}
		}
	}
};

#endif
