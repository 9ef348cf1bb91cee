// Cameron Desrochers' ConcurrentQueue. It has pointers and blocks of the heap, so both sides are threads of one process. Unbounded
// but for what was allocated before: try_enqueue.
#include "../../native/scenario.h"

#if __has_include(<concurrentqueue/concurrentqueue.h>)

#include <concurrentqueue/concurrentqueue.h>
#include <new>

namespace {

template <typename T> class Ring {
	moodycamel::ConcurrentQueue<T> *q_;

public:
	static size_t bytes(size_t) { return sizeof(Ring); }
	void init(size_t n)
	{
		static moodycamel::ConcurrentQueue<T> *last[2];
		static unsigned turn;
		delete last[++turn % 2]; // a command makes two; those of the last one are no longer in use
		q_ = last[turn % 2] = new moodycamel::ConcurrentQueue<T>(n);
	}
	bool push(const T &v) { return q_->try_enqueue(v); }
	bool pop(T &v) { return q_->try_dequeue(v); }
	size_t pushN(const T *v, size_t n) { return q_->try_enqueue_bulk(v, n) ? n : 0; }
	size_t popN(T *v, size_t n) { return q_->try_dequeue_bulk(v, n); }
};

template <typename T> Entry entry()
{
	Entry e = Scenario<Ring<T>, T>::entry("moodycamel");
	e.threads = true;
	return e;
}

const bool added = add({entry<P8>(), entry<P64>()});

} // namespace

#else
namespace {
const bool left = missing("moodycamel", "apt-get install libconcurrentqueue-dev");
}
#endif
