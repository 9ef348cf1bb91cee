// The rings of the textbook: two counting semaphores and a mutex, and a mutex with two conditions. They sleep in the kernel.
#include "../../native/scenario.h"

#include <pthread.h>
#include <semaphore.h>

namespace {

void shared(pthread_mutex_t *m)
{
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &a);
}

void shared(pthread_cond_t *c)
{
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(c, &a);
}

template <typename T> class Slots {
	uint64_t head_, tail_, n_;

	T &at(uint64_t pos) { return reinterpret_cast<T *>(reinterpret_cast<char *>(this) + 1024)[pos % n_]; }

public:
	static size_t bytes(size_t n) { return 2048 + n * sizeof(T); }
	void init(size_t n) { n_ = n; }
	bool full() const { return tail_ - head_ == n_; }
	bool empty() const { return tail_ == head_; }
	void put(const T &v) { at(tail_++) = v; }
	void take(T &v) { v = at(head_++); }
};

template <typename T> class Semaphores {
	Slots<T> slots_; // first: the elements lie behind it
	sem_t free_, full_;
	pthread_mutex_t lock_;

	static void down(sem_t *s)
	{
		while (sem_wait(s)) { // interrupted
		}
	}

public:
	static size_t bytes(size_t n) { return Slots<T>::bytes(n); }
	void init(size_t n)
	{
		slots_.init(n);
		sem_init(&free_, 1, n);
		sem_init(&full_, 1, 0);
		shared(&lock_);
	}
	bool push(const T &v)
	{
		down(&free_);
		pthread_mutex_lock(&lock_);
		slots_.put(v);
		pthread_mutex_unlock(&lock_);
		sem_post(&full_);
		return true;
	}
	bool pop(T &v)
	{
		down(&full_);
		pthread_mutex_lock(&lock_);
		slots_.take(v);
		pthread_mutex_unlock(&lock_);
		sem_post(&free_);
		return true;
	}
};

template <typename T> class Conditions {
	Slots<T> slots_; // first: the elements lie behind it
	pthread_mutex_t lock_;
	pthread_cond_t notFull_, notEmpty_;

public:
	static size_t bytes(size_t n) { return Slots<T>::bytes(n); }
	void init(size_t n)
	{
		slots_.init(n);
		shared(&lock_);
		shared(&notFull_);
		shared(&notEmpty_);
	}
	bool push(const T &v)
	{
		pthread_mutex_lock(&lock_);
		while (slots_.full())
			pthread_cond_wait(&notFull_, &lock_);
		slots_.put(v);
		pthread_mutex_unlock(&lock_);
		pthread_cond_signal(&notEmpty_);
		return true;
	}
	bool pop(T &v)
	{
		pthread_mutex_lock(&lock_);
		while (slots_.empty())
			pthread_cond_wait(&notEmpty_, &lock_);
		slots_.take(v);
		pthread_mutex_unlock(&lock_);
		pthread_cond_signal(&notFull_);
		return true;
	}
};

static_assert(sizeof(Semaphores<P8>) <= 1024 && sizeof(Conditions<P8>) <= 1024, "the elements begin there");

template <typename T, typename Ring> Entry entry(const char *design)
{
	Entry e = Scenario<Ring, T>::entry(design, true);
	e.sleeps = true;
	return e;
}

const bool added = add({
	entry<P8, Semaphores<P8>>("sem-ring"),
	entry<P64, Semaphores<P64>>("sem-ring"),
	entry<P8, Conditions<P8>>("mutex-ring"),
	entry<P64, Conditions<P64>>("mutex-ring"),
});

} // namespace
