// The peers of futex.Mutex and futex.Semaphore: POSIX's, between processes (pthread_mutexattr_setpshared(3),
// sem_overview(7)). One process is one worker; what they share is laid out as in locks_linux_test.go.
//
//	locks init FILE; locks mutex|sem FILE INDEX OPS     OPS 0: until told to stop
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct shared {
	_Alignas(128) uint32_t ready;
	uint32_t go;
	_Alignas(128) uint32_t stop;
	_Alignas(128) uint64_t counter;
	struct {
		_Alignas(128) uint64_t ops;
		uint64_t longest;
	} worker[8];
	_Alignas(4096) pthread_mutex_t mutex;
	_Alignas(128) sem_t sem;
};

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int failed(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	int fd = open(argv[2], O_RDWR);
	if (fd < 0)
		return failed("open");
	struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (s == MAP_FAILED)
		return failed("mmap");
	if (!strcmp(argv[1], "init")) {
		pthread_mutexattr_t a;
		if (pthread_mutexattr_init(&a) || pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) ||
		    pthread_mutex_init(&s->mutex, &a) || sem_init(&s->sem, 1, 1))
			return failed("init");
		return 0;
	}
	if (argc < 5)
		return 2;
	int sem = !strcmp(argv[1], "sem"), timed = !strcmp(argv[4], "timed");
	volatile uint64_t *counter = &s->counter;
	uint64_t n = 0, longest = 0;
	__atomic_add_fetch(&s->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->go, __ATOMIC_ACQUIRE))
		usleep(100);
	for (; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED); n++) {
		uint64_t began = timed ? now() : 0;
		if (sem)
			sem_wait(&s->sem);
		else
			pthread_mutex_lock(&s->mutex);
		if (timed) {
			uint64_t took = now() - began;
			if (took > longest)
				longest = took;
		}
		++*counter;
		if (sem)
			sem_post(&s->sem);
		else
			pthread_mutex_unlock(&s->mutex);
	}
	s->worker[atoi(argv[3])].ops = n;
	s->worker[atoi(argv[3])].longest = longest;
	return 0;
}
