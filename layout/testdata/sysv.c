// Takes messages from one Ringway ring and sends them back through another, both SPSC message
// rings in System V shared memory; ends when the first was shut down and is drained.
// Written from docs/FORMAT.md alone.       cc -std=c11 -O2 -o sysv sysv.c; ./sysv KEY-IN KEY-OUT
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { TAIL = 4096, HEAD = 4224, NOT_EMPTY = 4352, NOT_FULL = 4480, STATE = 4608, SEAL = 4624, CLAIM = 4736, REAPED = 4864, DESTROY = 5120, USERS = 5632, SEATS = 8192 };
enum { PARKED = 1, ALERT = 2, EPOCH = 4, OPEN = 1, SHUTDOWN = 2, DATA = 1, PADDING = 2, ASYMMETRIC = 1 };

typedef struct {
  unsigned char *base;
  uint64_t cap, longest, data;
  int fence, id, fd;
  char lock[96];
} ring;

#define U64(r, at) ((_Atomic uint64_t *)((r)->base + (at)))
#define U32(r, at) ((_Atomic uint32_t *)((r)->base + (at)))
#define NEED(ok, why) do { if (!(ok)) { fprintf(stderr, "sysv: %s\n", why); exit(1); } } while (0)

static uint64_t get(const unsigned char *h, int at, int bytes) {
  uint64_t v = 0;
  memcpy(&v, h + at, bytes);
  return v;
}

static uint32_t crc32c(const unsigned char *p, int n) {
  uint32_t c = ~0u;
  while (n--)
    for (int k = (c ^= *p++, 8); k; k--) c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
  return ~c;
}

static int lock(int fd, int kind, int64_t at) {
  struct flock l = {.l_type = kind, .l_whence = SEEK_SET, .l_start = (1ll << 40) + at, .l_len = 1};
  return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

// attach opens the ring of a key: sections 5, 16 and 18.
static void attach(ring *r, int key) {
  unsigned char h[4096], none[16] = {0}, boot[16] = {0};
  struct shmid_ds ds;
  struct stat st;
  r->id = shmget(key, 0, 0);
  NEED(r->id >= 0 && shmctl(r->id, IPC_STAT, &ds) == 0 && ds.shm_segsz >= 8192, "no such segment");
  r->base = shmat(r->id, NULL, 0);
  NEED(r->base != (void *)-1, "shmat");
  for (int i = 0; i < 2000 && atomic_load(U64(r, 256)) != 0x5944414552; i++) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  memcpy(h, r->base, sizeof h);
  NEED(get(h, 0, 8) == 0x00594157474e4952 && get(h, 8, 2) == 1 && get(h, 252, 4) == crc32c(h, 252) && get(h, 256, 8) == 0x5944414552, "no ring of this version");
  NEED(get(h, 24, 4) == 0 && get(h, 20, 4) == 0, "unknown features");
  NEED(h[28] == 1 && h[29] == 2, "not an spsc message ring");
  r->fence = h[30], r->cap = get(h, 32, 8), r->longest = get(h, 40, 4);
  uint64_t seats = get(h, 60, 4);
  NEED(r->fence == 1 || r->fence == 2, "fence");
  NEED(r->cap >= 64 && r->cap <= 1ull << 32 && !(r->cap & (r->cap - 1)), "capacity");
  NEED(r->longest >= 1 && r->longest <= r->cap / 2 - 8 && get(h, 44, 4) == 1 && get(h, 48, 8) == 0 && get(h, 56, 4) == 1 && seats >= 2 && seats <= 1024, "spec");
  r->data = (8192 + seats * 128 + 4095) & ~4095ull;
  NEED(get(h, 12, 4) == 4096 && get(h, 64, 8) == 1 && get(h, 72, 8) == 0 && get(h, 80, 8) == 4096 && get(h, 88, 8) == 8192 &&
       get(h, 96, 8) == r->data && get(h, 104, 8) == r->data && get(h, 112, 8) == ((r->data + r->cap + 4095) & ~4095ull), "offsets");
  NEED(get(h, 112, 8) == ds.shm_segsz, "size");
  FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
  for (int i = 0, c; f && i < 32 && (c = getc(f)) != EOF;)
    if (c != '-') boot[i / 2] = boot[i / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10), i++;
  NEED(!memcmp(h + 152, none, 16) || !memcmp(boot, none, 16) || !memcmp(h + 152, boot, 16), "made before the last boot");

  int n = snprintf(r->lock, sizeof r->lock, "/dev/shm/ringway-sysv-%08x-", (unsigned)key);
  for (int i = 0; i < 16; i++) n += snprintf(r->lock + n, sizeof r->lock - n, "%02x", h[136 + i]);
  snprintf(r->lock + n, sizeof r->lock - n, ".lock");
  r->fd = open(r->lock, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  NEED(r->fd >= 0 && fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size == 0 &&
       (st.st_uid == ds.shm_perm.cuid || st.st_uid == 0) && !(st.st_mode & 07777 & ~(ds.shm_perm.mode & 0777)), "its lock file is not to be trusted");
  NEED(!atomic_load(U32(r, DESTROY)) || !lock(r->fd, F_WRLCK, 4096), "abandoned");
  NEED(lock(r->fd, F_RDLCK, 4096), "somebody is removing it");
  NEED(shmctl(r->id, IPC_STAT, &ds) == 0 && !(ds.shm_perm.mode & SHM_DEST), "it was removed");
  for (int i = 0; i < 64; i++) {
    if (!lock(r->fd, F_WRLCK, 8192 + i)) continue;
    int at = USERS + 40 * i;
    atomic_store(U32(r, at), 0);
    atomic_store(U32(r, at + 4), getpid());
    atomic_store(U64(r, at + 8), 0);
    atomic_store(U64(r, at + 16), (uint64_t)time(NULL) * 1000000000);
    memcpy(r->base + at + 24, "sysv.c\0\0\0\0\0\0\0\0\0", 16);
    atomic_store(U32(r, at), 1);
    break;
  }
}

// sit takes a side: 0 the producer's, 1 the consumer's.
static void sit(ring *r, int side) {
  int seat = SEATS + 128 * side;
  if (r->fence == ASYMMETRIC) NEED(syscall(SYS_membarrier, 1 << 2 /* REGISTER_GLOBAL_EXPEDITED */, 0, 0) == 0, "membarrier is refused");
  NEED(lock(r->fd, F_WRLCK, side), "the seat is taken");
  if (atomic_load(U32(r, seat)) == 1) atomic_fetch_add(U64(r, REAPED), 1);
  atomic_fetch_add(U32(r, seat + 4), 1);
  atomic_store(U32(r, seat + 8), side + 1);
  atomic_store(U32(r, seat + 12), getpid());
  atomic_store(U64(r, seat + 16), 0);
  atomic_store(U64(r, seat + 24), (uint64_t)time(NULL) * 1000000000);
  memcpy(r->base + seat + 96, "sysv.c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
  atomic_store(U32(r, seat), 1);
}

static void barrier(ring *r) {
  atomic_thread_fence(memory_order_seq_cst);
  if (r->fence == ASYMMETRIC) NEED(syscall(SYS_membarrier, 1 << 1 /* GLOBAL_EXPEDITED */, 0, 0) == 0, "membarrier");
}

// park sleeps on an event while a position of the other side is what it was.
static void park(ring *r, int event, int position, uint64_t was) {
  uint32_t w = atomic_load(U32(r, event));
  while (!(w & PARKED) && !atomic_compare_exchange_weak(U32(r, event), &w, w | PARKED)) {}
  barrier(r);
  if (atomic_load_explicit(U64(r, position), memory_order_acquire) != was || atomic_load(U32(r, STATE)) != OPEN) return;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 100000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  syscall(SYS_futex, U32(r, event), FUTEX_WAIT_BITSET, w | PARKED, &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

// publish stores a position and wakes who waits for it. It returns whether to look at the state.
static int publish(ring *r, int position, uint64_t at, int event) {
  atomic_store_explicit(U64(r, position), at, memory_order_release);
  if (r->fence == ASYMMETRIC) atomic_signal_fence(memory_order_seq_cst);
  else atomic_thread_fence(memory_order_seq_cst);
  uint32_t w = atomic_load_explicit(U32(r, event), memory_order_relaxed), now = w;
  if (!(w & (PARKED | ALERT))) return 0;
  if (w & PARKED) {
    while (!atomic_compare_exchange_strong(U32(r, event), &now, (now & ~PARKED) + EPOCH))
      if ((now | ALERT) != (w | ALERT)) return 1;
    syscall(SYS_futex, U32(r, event), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
  }
  return 1;
}

static uint64_t sealed(ring *r) {
  if (!atomic_load(U64(r, SEAL))) {
    uint64_t none = 0;
    atomic_fetch_or(U32(r, NOT_EMPTY), ALERT);
    barrier(r);
    uint64_t tail = atomic_load_explicit(U64(r, TAIL), memory_order_acquire);
    atomic_compare_exchange_strong(U64(r, SEAL), &none, tail << 1 | 1);
  }
  uint64_t near = atomic_load_explicit(U64(r, TAIL), memory_order_acquire);
  return near + (uint64_t)((int64_t)(((atomic_load(U64(r, SEAL)) >> 1) - near) << 1) >> 1);
}

// send copies a message into the ring, padding before it if it does not fit before the end.
static void send(ring *r, const unsigned char *msg, uint64_t len) {
  static uint64_t back;
  NEED(len <= r->longest, "a message is too long for the ring that it is to be sent to");
  uint64_t tail = atomic_load(U64(r, TAIL)), size = 8 + ((len + 7) & ~7ull), rest = r->cap - (tail & (r->cap - 1));
  uint64_t pad = size <= rest ? 0 : rest, end = tail + pad + size;
  for (uint64_t head; head = atomic_load_explicit(U64(r, HEAD), memory_order_acquire), end - head > r->cap;) {
    NEED(tail - head <= r->cap && atomic_load(U32(r, STATE)) == OPEN, "the ring to send to has ended");
    park(r, NOT_FULL, HEAD, head);
  }
  if ((int64_t)(end - atomic_load(U64(r, CLAIM))) > 0) atomic_store(U64(r, CLAIM), end);
  if (pad) {
    atomic_store_explicit(U64(r, r->data + (tail & (r->cap - 1))), (pad - 8) | (uint64_t)PADDING << 32 | (back / 8) << 34, memory_order_relaxed);
    tail += pad, back = pad;
  }
  uint64_t at = r->data + (tail & (r->cap - 1));
  atomic_store_explicit(U64(r, at), len | (uint64_t)DATA << 32 | (back / 8) << 34, memory_order_relaxed);
  memcpy(r->base + at + 8, msg, len);
  back = size;
  if (publish(r, TAIL, end, NOT_EMPTY) && atomic_load(U32(r, STATE)) == SHUTDOWN) NEED((int64_t)(sealed(r) - end) >= 0, "the ring to send to was shut down");
}

static uint64_t echo(ring *in, ring *out, uint64_t head, uint64_t tail) {
  NEED(tail - head <= in->cap, "corrupt: positions");
  while (head != tail) {
    uint64_t index = head & (in->cap - 1), avail = tail - head;
    NEED(index % 8 == 0, "corrupt: position");
    uint64_t word = atomic_load_explicit(U64(in, in->data + index), memory_order_relaxed);
    uint64_t len = word & 0xffffffff, kind = word >> 32 & 3, size = 8 + ((len + 7) & ~7ull);
    NEED(size <= avail && ((kind == DATA && len <= in->longest && size <= in->cap - index) || (kind == PADDING && size < 8 + ((in->longest + 7) & ~7ull) && size < avail && size == in->cap - index)), "corrupt: record");
    if (kind == DATA) send(out, in->base + in->data + index + 8, len);
    publish(in, HEAD, head += size, NOT_FULL);
  }
  return head;
}

// leave does what a program should that does not just end.
static void leave(ring *r, int side) {
  atomic_store(U32(r, SEATS + 128 * side), 0);
  lock(r->fd, F_UNLCK, 4096);
  if (atomic_load(U32(r, DESTROY)) && lock(r->fd, F_WRLCK, 4096)) shmctl(r->id, IPC_RMID, NULL), unlink(r->lock);
  shmdt(r->base);
  close(r->fd);
}

int main(int argc, char **argv) {
  NEED(argc == 3, "which two keys?");
  ring in, out;
  attach(&in, (int)strtoul(argv[1], NULL, 0));
  attach(&out, (int)strtoul(argv[2], NULL, 0));
  sit(&in, 1);
  sit(&out, 0);
  for (uint64_t head = atomic_load(U64(&in, HEAD));;) {
    uint64_t tail = atomic_load_explicit(U64(&in, TAIL), memory_order_acquire);
    uint32_t state = atomic_load(U32(&in, STATE));
    NEED(state == OPEN || state == SHUTDOWN, "the ring is corrupt");
    if (state == SHUTDOWN && (int64_t)((tail = sealed(&in)) - head) <= 0) break;
    if (tail != head) head = echo(&in, &out, head, tail);
    else park(&in, NOT_EMPTY, TAIL, head);
  }
  leave(&in, 1);
  leave(&out, 0);
  return 0;
}
