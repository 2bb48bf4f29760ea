/* Turns on the processors: the scheduling policy of threads, and a clock that makes them yield. */
#include "base/turns.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum {
    NICENESS = 3, /* Linux weighs it 526 to 1024: a third beside one who takes all he can get */
    SHORT_NS = 100000,
    GIVE_WAY_NS = 500000,
};

/* Asks for a policy, a niceness and turns of a length, for this thread and those it will start. */
static void ask(uint32_t policy, int niceness, uint64_t turn_ns) {
    /* struct sched_attr, whose header and the C library's cannot be included together */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } wish = {.size = sizeof wish, .policy = policy, .nice = niceness, .runtime = turn_ns};
    if (syscall(SYS_sched_setattr, 0, &wish, 0) != 0)
        log_line(LOG_DEBUG, "no turns of its own for a thread: %s", strerror(errno));
}

void turns_to_answer(bool many) {
    ask(many ? SCHED_BATCH : SCHED_OTHER, getpriority(PRIO_PROCESS, 0), SHORT_NS);
}

void turns_to_compute(void) {
    int niceness = getpriority(PRIO_PROCESS, 0);
    ask(SCHED_OTHER, niceness > NICENESS ? niceness : NICENESS, GIVE_WAY_NS);
}

static int64_t processor_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The processor time of the thread when it last gave way. */
static _Thread_local int64_t given_way;

/* Not where it has only just got its turn, the time having run on while it waited: among others
 * that are always busy it would never get anywhere. */
static void yield_turn(int number) {
    (void)number;
    int kept = errno;
    int64_t now = processor_ns();
    if (now - given_way >= GIVE_WAY_NS / 2) {
        given_way = now;
        sched_yield();
    }
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
