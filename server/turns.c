/* Turns on the processors: the scheduling policy of threads, and a clock that makes them yield. */
#include "turns.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

enum { SHORT_NS = 100000, GIVE_WAY_NS = 500000 };

void turns_to_answer(bool many) {
    /* struct sched_attr, whose header and the C library's cannot be included together */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } wish = {.size = sizeof wish,
              .policy = many ? SCHED_BATCH : SCHED_OTHER,
              .nice = getpriority(PRIO_PROCESS, 0),
              .runtime = SHORT_NS};
    if (syscall(SYS_sched_setattr, 0, &wish, 0) != 0)
        log_line(LOG_DEBUG, "no turns of its own for a thread: %s", strerror(errno));
}

static void yield_turn(int number) {
    (void)number;
    int kept = errno;
    sched_yield();
    errno = kept;
}

/* A timer that signals the thread that makes it. */
static bool make_timer(timer_t *timer) {
    struct sigaction action = {.sa_handler = yield_turn, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    event._sigev_un._tid = gettid(); /* sigev_notify_thread_id, which glibc 2.36 does not name */
    bool made = sigaction(SIGRTMIN, &action, NULL) == 0 &&
                timer_create(CLOCK_MONOTONIC, &event, timer) == 0;
    if (!made)
        log_line(LOG_DEBUG, "a thread that computes cannot give way: %s", strerror(errno));
    return made;
}

void turns_give_way(bool yes) {
    static _Thread_local enum { NOT_YET, MADE, NONE } state;
    static _Thread_local timer_t timer; /* as long as the process */
    if (state == NOT_YET)
        state = make_timer(&timer) ? MADE : NONE;
    if (state == NONE)
        return;
    const struct timespec time = {.tv_nsec = yes ? GIVE_WAY_NS : 0};
    timer_settime(timer, 0, &(struct itimerspec){.it_interval = time, .it_value = time}, NULL);
}
