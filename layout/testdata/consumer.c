// A consumer of a Ringway SPSC message ring, written from docs/FORMAT.md alone. It takes the
// consumer's seat, prints each message as a line, and ends when the ring was shut
// down and is drained.            cc -std=c11 -O2 -o consumer consumer.c
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { TAIL = 4096, HEAD = 4224, NOT_EMPTY = 4352, NOT_FULL = 4480, STATE = 4608, SEAL = 4624, REAPED = 4864, SEAT1 = 8192 + 128 };
enum { PARKED = 1, ALERT = 2, EPOCH = 4, OPEN = 1, SHUTDOWN = 2, DATA = 1, PADDING = 2, ASYMMETRIC = 1 };

static unsigned char *base;  // the mapping
static uint64_t cap, longest, data;
static int fence;

#define U64(at) ((_Atomic uint64_t *)(base + (at)))
#define U32(at) ((_Atomic uint32_t *)(base + (at)))
#define NEED(ok, why) do { if (!(ok)) { fprintf(stderr, "consumer: %s\n", why); exit(1); } } while (0)

static uint64_t get(const unsigned char *h, int at, int bytes) {
  uint64_t v = 0;
  memcpy(&v, h + at, bytes);  // this program runs on little-endian machines only
  return v;
}

static uint32_t crc32c(const unsigned char *p, int n) {
  uint32_t c = ~0u;
  while (n--)
    for (int k = (c ^= *p++, 8); k; k--) c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
  return ~c;
}

static void check(const unsigned char *h, uint64_t size) {
  NEED(get(h, 0, 8) == 0x00594157474e4952, "no ringway magic");
  NEED(get(h, 8, 2) == 1, "another major version");
  NEED(get(h, 252, 4) == crc32c(h, 252), "header checksum");
  NEED(get(h, 256, 8) == 0x5944414552, "never finished");
  NEED(get(h, 24, 4) == 0 && get(h, 20, 4) == 0, "unknown features");
  NEED(h[28] == 1 && h[29] == 2, "not an spsc message ring");
  fence = h[30], cap = get(h, 32, 8), longest = get(h, 40, 4);
  uint64_t seats = get(h, 60, 4);
  NEED(fence == 1 || fence == 2, "fence");
  NEED(cap >= 64 && cap <= 1ull << 32 && !(cap & (cap - 1)), "capacity");
  NEED(longest >= 1 && longest <= cap / 2 - 8 && get(h, 44, 4) == 1 && get(h, 48, 8) == 0 && get(h, 56, 4) == 1, "element");
  NEED(seats >= 2 && seats <= 1024, "seats");
  data = (8192 + seats * 128 + 4095) & ~4095ull;
  NEED(get(h, 12, 4) == 4096 && get(h, 64, 8) == 1 && get(h, 72, 8) == 0 && get(h, 80, 8) == 4096 && get(h, 88, 8) == 8192 &&
       get(h, 96, 8) == data && get(h, 104, 8) == data && get(h, 112, 8) == ((data + cap + 4095) & ~4095ull), "offsets");
  NEED(get(h, 112, 8) == size, "truncated or extended");
  unsigned char boot[16] = {0}, none[16] = {0};
  FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
  for (int i = 0, c; f && i < 32 && (c = getc(f)) != EOF;)
    if (c != '-') boot[i / 2] = boot[i / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10), i++;
  NEED(!memcmp(h + 152, none, 16) || !memcmp(boot, none, 16) || !memcmp(h + 152, boot, 16), "made before the last boot");
}

// barrier is what whoever parks, or seals, executes between its flag and its look.
static void barrier(void) {
  atomic_thread_fence(memory_order_seq_cst);
  if (fence == ASYMMETRIC) NEED(syscall(SYS_membarrier, 1 << 1 /* GLOBAL_EXPEDITED */, 0, 0) == 0, "membarrier");
}

static void park(uint64_t head) {
  uint32_t w = atomic_load(U32(NOT_EMPTY));
  while (!(w & PARKED) && !atomic_compare_exchange_weak(U32(NOT_EMPTY), &w, w | PARKED)) {}
  barrier();
  if (atomic_load_explicit(U64(TAIL), memory_order_acquire) != head || atomic_load(U32(STATE)) != OPEN) return;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 100000000;  // a waker may be killed before it wakes: look again ten times a second
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  syscall(SYS_futex, U32(NOT_EMPTY), FUTEX_WAIT_BITSET, w | PARKED, &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void notify(int event) {
  uint32_t w = atomic_load(U32(event)), now = w;
  if (!(w & PARKED)) return;
  while (!atomic_compare_exchange_strong(U32(event), &now, (now & ~PARKED) + EPOCH))
    if ((now | ALERT) != (w | ALERT)) return;  // another waker came first, and wakes
  syscall(SYS_futex, U32(event), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void release(uint64_t head) {
  atomic_store_explicit(U64(HEAD), head, memory_order_release);
  if (fence == ASYMMETRIC) atomic_signal_fence(memory_order_seq_cst);
  else atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(U32(NOT_FULL), memory_order_relaxed) & (PARKED | ALERT)) notify(NOT_FULL);
}

// sealed returns where a ring that was shut down ends, agreeing on it if nobody has.
static uint64_t sealed(void) {
  if (!atomic_load(U64(SEAL))) {
    uint64_t none = 0;
    atomic_fetch_or(U32(NOT_EMPTY), ALERT);
    barrier();
    uint64_t tail = atomic_load_explicit(U64(TAIL), memory_order_acquire);
    atomic_compare_exchange_strong(U64(SEAL), &none, tail << 1 | 1);
  }
  uint64_t near = atomic_load_explicit(U64(TAIL), memory_order_acquire);
  return near + (uint64_t)((int64_t)(((atomic_load(U64(SEAL)) >> 1) - near) << 1) >> 1);
}

static void sit(int fd) {
  if (fence == ASYMMETRIC) NEED(syscall(SYS_membarrier, 1 << 2 /* REGISTER_GLOBAL_EXPEDITED */, 0, 0) == 0, "membarrier is refused");
  struct flock user = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (1ll << 40) + 4096, .l_len = 1};
  NEED(fcntl(fd, F_OFD_SETLK, &user) == 0, "somebody is removing it");
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (1ll << 40) + 1, .l_len = 1};
  NEED(fcntl(fd, F_OFD_SETLK, &lock) == 0, "the consumer's seat is taken");
  if (atomic_load(U32(SEAT1)) == 1) atomic_fetch_add(U64(REAPED), 1);
  atomic_fetch_add(U32(SEAT1 + 4), 1);
  atomic_store(U32(SEAT1 + 8), 2);
  atomic_store(U32(SEAT1 + 12), getpid());
  atomic_store(U64(SEAT1 + 16), 0);
  atomic_store(U64(SEAT1 + 24), (uint64_t)time(NULL) * 1000000000);
  memcpy(base + SEAT1 + 96, "consumer.c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
  atomic_store(U32(SEAT1), 1);
}

// take prints what lies between head and tail and gives it back; damage ends the program.
static uint64_t take(uint64_t head, uint64_t tail) {
  NEED(tail - head <= cap, "corrupt: head and tail are further apart than the capacity");
  while (head != tail) {
    uint64_t index = head & (cap - 1), avail = tail - head;
    NEED(index % 8 == 0, "corrupt: position");
    uint64_t word = atomic_load_explicit(U64(data + index), memory_order_relaxed);
    uint64_t len = word & 0xffffffff, kind = word >> 32 & 3, size = 8 + ((len + 7) & ~7ull);
    NEED(size <= avail && ((kind == DATA && len <= longest && size <= cap - index) || (kind == PADDING && size < 8 + ((longest + 7) & ~7ull) && size < avail && size == cap - index)), "corrupt: record");
    if (kind == DATA) NEED(fwrite(base + data + index + 8, 1, len, stdout) == len && putchar('\n') == '\n', "cannot write");
    release(head += size);
  }
  return head;
}

int main(int argc, char **argv) {
  NEED(argc == 2, "which file?");
  unsigned char header[4096];
  struct stat st;
  int fd = open(argv[1], O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  NEED(fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode), "cannot open it, or it is no regular file");
  NEED(pread(fd, header, sizeof header, 0) == sizeof header, "too short");
  check(header, st.st_size);
  base = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  NEED(base != MAP_FAILED, "cannot map it");
  sit(fd);
  for (uint64_t head = atomic_load(U64(HEAD));;) {
    uint64_t tail = atomic_load_explicit(U64(TAIL), memory_order_acquire);
    uint32_t state = atomic_load(U32(STATE));  // after tail: a tail read while it is open lies before any seal
    NEED(state == OPEN || state == SHUTDOWN, "the ring is corrupt");
    if (state == SHUTDOWN && (int64_t)((tail = sealed()) - head) <= 0) break;
    if (tail != head) head = take(head, tail);
    else fflush(stdout), park(head);
  }
  fflush(stdout);
  atomic_store(U32(SEAT1), 0);
  return 0;  // the kernel unmaps, then drops the lock
}
