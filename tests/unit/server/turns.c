/* Threads that compute give way, for as long as they say so. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/turns.h"

static atomic_int yields;

/* Stands before the C library's. */
__attribute__((visibility("default"))) int sched_yield(void) {
    atomic_fetch_add(&yields, 1);
    return (int)syscall(SYS_sched_yield);
}

static double processor_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Computes for that long, or until the thread has given way so often; how often it has. */
static int compute(double seconds, int most) {
    int before = atomic_load(&yields);
    double end = processor_seconds() + seconds;
    while (processor_seconds() < end && atomic_load(&yields) - before < most)
        ;
    return atomic_load(&yields) - before;
}

static void *take_turns(void *unused) {
    cr_assert_eq(compute(0.01, 1), 0, "before it is said");
    turns_give_way(true);
    cr_assert_eq(compute(10, 5), 5);
    turns_give_way(false);
    cr_assert_eq(compute(0.01, 1), 0, "after it is over");
    turns_give_way(true);
    cr_assert_eq(compute(10, 5), 5, "and again");
    turns_give_way(false);
    return unused;
}

Test(turns, a_thread_that_computes_gives_way) {
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, take_turns, NULL), 0);
    pthread_join(thread, NULL);
}
