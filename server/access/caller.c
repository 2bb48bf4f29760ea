/* Callers: their lives, and the work that they may ask for. */
#include "access/caller.h"

#include <stdlib.h>

static const int64_t second = 1000000000;

const char *const scope_names[SCOPES] = {"compute", "check", "admin"};

void caller_release(caller *caller) {
    if (!caller || atomic_fetch_sub(&caller->references, 1) > 1)
        return;
    if (atomic_fetch_sub(&caller->usage->references, 1) == 1)
        free(caller->usage);
    free(caller);
}

bool caller_work(caller *caller, double work, problem *problem) {
    if (!caller)
        return true;
    usage *usage = caller->usage;
    uint64_t rate = caller->limits.work;
    double cost = rate ? work / (double)rate * (double)second : 0;
    int64_t wait = rate ? bucket_draw(&usage->work, quota_now(), cost, second) : 0;
    if (wait == 0) {
        atomic_fetch_add(&usage->worked, work < 1e18 ? (uint64_t)work : (uint64_t)1e18);
        return true;
    }
    atomic_fetch_add(&usage->refused, 1);
    atomic_fetch_add(&caller->refusals->count[REFUSED_WORK], 1);
    problem_set(problem, PROBLEM_RATE_LIMITED, NULL,
                "this token has had more work done than its %.6g operations a second (work); try "
                "again later",
                (double)rate);
    problem->retry_after = (int)((wait + second - 1) / second);
    return false;
}
