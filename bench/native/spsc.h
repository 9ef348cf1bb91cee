// After Erik Rigtorp, SPSCQueue, https://github.com/rigtorp/SPSCQueue (Rigtorp below), and Dmitry Vyukov, bounded queue,
// https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue (Seq below, reduced to one side each).
// Own code from the descriptions. No pointers inside: both sides may map the ring at different addresses.
#ifndef SPSC_H
#define SPSC_H

#include <atomic>
#include <cstddef>
#include <cstdint>

// Rigtorp keeps four words on lines of their own: the two indices, and each side's copy of the other's, looked at again
// only when the copy says full or empty. Indices wrap, one slot stays empty. Line is 64 as published, or 128.
template <typename T, size_t Line> class Rigtorp {
	alignas(Line) std::atomic<size_t> write_;
	alignas(Line) size_t readCopy_; // the producer's
	alignas(Line) std::atomic<size_t> read_;
	alignas(Line) size_t writeCopy_; // the consumer's
	alignas(Line) size_t slots_;     // one more than asked for

	T *data() { return reinterpret_cast<T *>(this + 1); }

public:
	static size_t bytes(size_t slots) { return sizeof(Rigtorp) + (slots + 1) * sizeof(T); }
	void init(size_t slots) { slots_ = slots + 1; } // on zeroed memory

	bool push(const T &v)
	{
		const size_t w = write_.load(std::memory_order_relaxed);
		const size_t next = w + 1 == slots_ ? 0 : w + 1;
		if (next == readCopy_) {
			readCopy_ = read_.load(std::memory_order_acquire); // observes free slots; pairs with the release in pop
			if (next == readCopy_)
				return false;
		}
		data()[w] = v;
		write_.store(next, std::memory_order_release); // publishes the slot; pairs with the acquire in pop
		return true;
	}

	bool pop(T &v)
	{
		const size_t r = read_.load(std::memory_order_relaxed);
		if (r == writeCopy_) {
			writeCopy_ = write_.load(std::memory_order_acquire); // observes full slots; pairs with the release in push
			if (r == writeCopy_)
				return false;
		}
		v = data()[r];
		read_.store(r + 1 == slots_ ? 0 : r + 1, std::memory_order_release); // publishes the free slot; pairs with push
		return true;
	}
};

// Seq: a slot says itself whether it is full, so the consumer polls the line that brings the message. Each side keeps its
// position to itself; head is there for the producer alone, published each time, or with Step in eighths of the ring and
// before empty is reported. The number of slots is a power of two.
template <typename T, bool Step> class Seq {
	struct Slot {
		std::atomic<uint64_t> seq; // position + 1 once full
		T value;
	};
	alignas(128) uint64_t tail_, headCopy_; // the producer's
	alignas(128) std::atomic<uint64_t> head_;
	alignas(128) uint64_t mine_, published_; // the consumer's
	alignas(128) uint64_t mask_;

	Slot &slot(uint64_t pos) { return reinterpret_cast<Slot *>(this + 1)[pos & mask_]; }

	void publish(uint64_t head)
	{
		published_ = head;
		head_.store(head, std::memory_order_release); // publishes free slots; pairs with the acquire in push
	}

public:
	static size_t bytes(size_t slots) { return sizeof(Seq) + slots * sizeof(Slot); }
	void init(size_t slots) { mask_ = slots - 1; } // on zeroed memory

	bool push(const T &v)
	{
		const uint64_t t = tail_;
		if (t - headCopy_ > mask_) {
			headCopy_ = head_.load(std::memory_order_acquire); // observes free slots; pairs with the release in publish
			if (t - headCopy_ > mask_)
				return false;
		}
		Slot &s = slot(t);
		s.value = v;
		tail_ = t + 1;
		s.seq.store(t + 1, std::memory_order_release); // publishes the slot; pairs with the acquire in pop
		return true;
	}

	bool pop(T &v)
	{
		const uint64_t h = mine_;
		Slot &s = slot(h);
		if (s.seq.load(std::memory_order_acquire) != h + 1) { // observes a full slot; pairs with the release in push
			if (Step && published_ != h)
				publish(h);
			return false;
		}
		v = s.value;
		mine_ = h + 1;
		if (!Step || h + 1 - published_ > mask_ / 8)
			publish(h + 1);
		return true;
	}
};

#endif
