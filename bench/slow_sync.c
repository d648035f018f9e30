/* Preloaded into a program: its syncs take KVEIK_BENCH_SYNC_DELAY microseconds longer. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

typedef int sync_call(int);

static sync_call *real_fsync, *real_fdatasync;
static struct timespec delay;

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("KVEIK_BENCH_SYNC_DELAY");
    long us = text ? atol(text) : 0;

    delay.tv_sec = us / 1000000;
    delay.tv_nsec = us % 1000000 * 1000;
    real_fsync = (sync_call *)dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (sync_call *)dlsym(RTLD_NEXT, "fdatasync");
}

static int slowly(sync_call *call, int descriptor)
{
    int result = call(descriptor), error = errno;
    struct timespec rest = delay;

    prctl(PR_SET_TIMERSLACK, 1UL); /* else the kernel adds some 50 us to a sleep */
    while (nanosleep(&rest, &rest) && errno == EINTR)
        ;
    prctl(PR_SET_TIMERSLACK, 0UL); /* back to the thread's own */
    errno = error;
    return result;
}

int fsync(int descriptor) { return slowly(real_fsync, descriptor); }

int fdatasync(int descriptor) { return slowly(real_fdatasync, descriptor); }
