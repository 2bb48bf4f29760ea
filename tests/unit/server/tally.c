/* The log of refusals, minute by minute. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/tally.h"

#include "common/check.h"

static char text[1 << 14];

/* What is logged meanwhile. */
static void begin_log(int *log, int *before) {
    *log = memfd_create("log", MFD_CLOEXEC);
    *before = dup(STDERR_FILENO);
    dup2(*log, STDERR_FILENO);
}

static const char *end_log(int log, int before) {
    dup2(before, STDERR_FILENO);
    ssize_t got = pread(log, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    close(log);
    close(before);
    return text;
}

static int lines(const char *log) {
    int count = 0;
    for (; *log; log++)
        count += *log == '\n';
    return count;
}

Test(tally, a_kind_is_told_at_its_start_and_then_counted) {
    int log, before;
    problem full, wrong;
    problem_set(&full, PROBLEM_CACHE_FULL, NULL, "the cache is full");
    problem_set(&wrong, PROBLEM_WRONG_TYPE, NULL, "no number");
    int64_t now = clock_coarse_ms();
    CHECK_TRUE(!tally_report(now));
    begin_log(&log, &before);
    for (int i = 0; i < 1000; i++) {
        tally_refused(&full);
        tally_refused(&wrong);
    }
    bool counting = tally_report(now + 59000);
    const char *said = end_log(log, before);
    CHECK_TRUE(counting);
    CHECK_EQUAL(lines(said), 1);
    CHECK_TRUE(strstr(said, " warn callers are refused with 503 cache_full: the cache is full\n"));

    begin_log(&log, &before);
    counting = tally_report(now + 61000);
    said = end_log(log, before);
    CHECK_TRUE(counting);
    CHECK_TRUE(strstr(said, "503 cache_full: 999 more in the last minute\n"));
    CHECK_EQUAL(lines(said), 1);

    begin_log(&log, &before); /* a minute without one, and it is over */
    CHECK_TRUE(!tally_report(now + 122000) || !tally_report(now + 122000));
    CHECK_EQUAL(lines(end_log(log, before)), 0);

    begin_log(&log, &before);
    tally_refused(&full);
    said = end_log(log, before);
    CHECK_TRUE(strstr(said, "503 cache_full: the cache is full\n"));
    CHECK_EQUAL(lines(said), 1);
}
