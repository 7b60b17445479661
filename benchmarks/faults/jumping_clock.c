// SPDX-License-Identifier: Apache-2.0
// A system time that jumps, for the processes that have this preloaded: CLOCK_REALTIME is off by as many nanoseconds as
// the eight bytes of the file say that JUMPING_CLOCK names, now; the monotonic clock and what is waited for by it are
// left alone, as by a step of the true clock. (libfaketime 0.9.10 makes clock_nanosleep fail with absolute times.)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
// A deadline after 2001 is one of the system time: the monotonic clock begins with the machine.
#define AFTER_2001 1000000000LL

static volatile int64_t none, *offset = &none;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("JUMPING_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) offset = page;
}

static void add(struct timespec *at, int64_t ns) {
  int64_t rest = at->tv_nsec + ns % NS_PER_S;
  at->tv_sec += ns / NS_PER_S + (rest >= NS_PER_S) - (rest < 0);
  at->tv_nsec = rest >= NS_PER_S ? rest - NS_PER_S : rest < 0 ? rest + NS_PER_S : rest;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, at);
  if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) add(at, *offset);
  return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

// What waits until a system time waits in the kernel, which knows the true one.
static const struct timespec *true_time(const struct timespec *until, struct timespec *kept) {
  if (until->tv_sec < AFTER_2001) return until;
  *kept = *until;
  add(kept, -*offset);
  return kept;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  struct timespec kept;
  if (!real)
    real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
        RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!real)
    real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
        RTLD_NEXT, "pthread_cond_timedwait");
  return real(condition, mutex, true_time(until, &kept));
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
  static int (*real)(sem_t *, const struct timespec *);
  struct timespec kept;
  if (!real) real = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
  return real(semaphore, true_time(until, &kept));
}
