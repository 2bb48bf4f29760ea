/* Refusals, counted by their kinds. */
#include "base/tally.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"

enum { MINUTE_MS = 60000 };

static struct {
    atomic_uint_fast64_t count; /* the one that was told, and more; 0 while there are none */
    atomic_int_fast64_t since;  /* of clock_coarse_ms() */
} kinds[PROBLEM_KINDS];

static bool concerns_operator(problem_kind kind) {
    int status = problem_status(kind);
    return status == 401 || status == 403 || status == 413 || status == 429 || status == 431 ||
           status >= 500;
}

void tally_refused(const problem *problem) {
    problem_kind kind = problem->kind;
    if (!concerns_operator(kind) || atomic_fetch_add(&kinds[kind].count, 1) > 0)
        return;
    atomic_store(&kinds[kind].since, clock_coarse_ms());
    log_line(LOG_WARN, "callers are refused with %d %s: %s", problem_status(kind),
             problem_code(kind), problem->detail);
}

bool tally_report(int64_t now) {
    bool counting = false;
    for (problem_kind kind = 0; kind < PROBLEM_KINDS; kind++) {
        uint64_t count = atomic_load(&kinds[kind].count);
        counting |= count > 0;
        if (count == 0 || now - atomic_load(&kinds[kind].since) < MINUTE_MS)
            continue;
        uint64_t more = count - 1;
        atomic_store(&kinds[kind].since, now);
        atomic_fetch_sub(&kinds[kind].count, more > 0 ? more : 1); /* no more: it is over */
        if (more > 0)
            log_line(LOG_WARN,
                     "callers are refused with %d %s: %" PRIu64 " more in the last minute",
                     problem_status(kind), problem_code(kind), more);
    }
    return counting;
}
