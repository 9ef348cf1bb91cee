// boost::lockfree, of fixed capacity and so without pointers, and Boost.Interprocess's message queue.
#include "../../native/scenario.h"

#if __has_include(<boost/lockfree/spsc_queue.hpp>)

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <memory>
#include <new>
#include <string>
#include <unistd.h>

namespace {

constexpr size_t slots = 1024;

template <typename T> class BoostSPSC {
	alignas(128) boost::lockfree::spsc_queue<T, boost::lockfree::capacity<slots>> q_;

public:
	static size_t bytes(size_t) { return sizeof(BoostSPSC); }
	void init(size_t) { new (&q_) decltype(q_); }
	bool push(const T &v) { return q_.push(v); }
	bool pop(T &v) { return q_.pop(v); }
	size_t pushN(const T *v, size_t n) { return q_.push(v, n); }
	size_t popN(T *v, size_t n) { return q_.pop(v, n); }
};

template <typename T> class BoostQueue {
	alignas(128) boost::lockfree::queue<T, boost::lockfree::fixed_sized<true>, boost::lockfree::capacity<slots>> q_;

public:
	static size_t bytes(size_t) { return sizeof(BoostQueue); }
	void init(size_t) { new (&q_) decltype(q_); }
	bool push(const T &v) { return q_.bounded_push(v); }
	bool pop(T &v) { return q_.pop(v); }
};

// The message queue lies in a segment of its own, by name; what is in mem says which.
namespace ipc = boost::interprocess;

template <typename T> class MessageQueue {
	char name_[40];
	size_t serial_;

	ipc::message_queue &queue()
	{
		static std::unique_ptr<ipc::message_queue> q; // of this process
		static std::string of;
		if (const std::string want = name_ + std::to_string(serial_); of != want) {
			q.reset(new ipc::message_queue(ipc::open_only, name_));
			of = want;
		}
		return *q;
	}

public:
	static size_t bytes(size_t) { return sizeof(MessageQueue); }
	void init(size_t n)
	{
		static size_t serial = 0;
		serial_ = ++serial;
		snprintf(name_, sizeof name_, "ringway-peer-%d-%p", getpid(), static_cast<void *>(this));
		ipc::message_queue::remove(name_);
		ipc::message_queue(ipc::create_only, name_, n, sizeof(T));
		static Removal removal;
		removal.name = name_;
	}
	struct Removal {
		std::string name;
		~Removal() { ipc::message_queue::remove(name.c_str()); }
	};
	bool push(const T &v)
	{
		queue().send(&v, sizeof v, 0);
		return true;
	}
	bool pop(T &v)
	{
		ipc::message_queue::size_type got;
		unsigned priority;
		queue().receive(&v, sizeof v, got, priority);
		return got == sizeof v;
	}
};

Entry fixed(Entry e)
{
	e.slots = slots;
	return e;
}

template <typename T> Entry messages()
{
	Entry e = Scenario<MessageQueue<T>, T>::entry("boost-mq");
	e.sleeps = true;
	return e;
}

const bool added = add({
	fixed(Scenario<BoostSPSC<P8>, P8>::entry("boost-spsc")),
	fixed(Scenario<BoostSPSC<P64>, P64>::entry("boost-spsc")),
	fixed(Scenario<BoostQueue<P8>, P8>::entry("boost-queue", true)),
	fixed(Scenario<BoostQueue<P64>, P64>::entry("boost-queue", true)),
	messages<P8>(),
	messages<P64>(),
	messages<Payload<8192>>(),
	messages<Payload<131072>>(),
});

} // namespace

#else
namespace {
const bool left = missing("boost-spsc", "apt-get install libboost-dev") && missing("boost-queue", "apt-get install libboost-dev") &&
		  missing("boost-mq", "apt-get install libboost-dev");
}
#endif
