/* Buckets: what fits goes out, nothing more does, whoever asks at once. */
#include <pthread.h>

#include "access/caller.h"

#include "common/check.h"

static const int64_t second = 1000000000;

Test(quota, a_burst_goes_out_and_then_the_rate) {
    bucket full = 0;
    const int64_t cost = quota_cost(20), room = 5 * cost;
    int64_t now = 77 * second;
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(bucket_take(&full, now, cost, room), 0);
    CHECK_EQUAL(bucket_take(&full, now, cost, room), cost);
    CHECK_EQUAL(bucket_lacks(&full, now), room);
    CHECK_EQUAL(bucket_take(&full, now + cost - 1, cost, room), 1);
    CHECK_EQUAL(bucket_take(&full, now + cost, cost, room), 0);
    CHECK_EQUAL(bucket_take(&full, now + cost, cost, room), cost);
    now += 3600 * second; /* it holds no more than its room, however long nobody came */
    CHECK_EQUAL(bucket_lacks(&full, now), 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(bucket_take(&full, now, cost, room), 0);
    CHECK_TRUE(bucket_take(&full, now, cost, room) > 0);
}

Test(quota, a_rate_is_never_exceeded_by_rounding) {
    static const uint64_t rates[] = {1, 3, 7, 999, 1000000, 333333333, 1000000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        CHECK((uint64_t)quota_cost(rates[i]) * rates[i] >= (uint64_t)second, "%zu", i);
    CHECK_EQUAL(quota_cost(1000000000), 1);
    CHECK_EQUAL(quota_cost(1), second);
}

Test(quota, a_draw_may_owe_and_then_waits) {
    bucket full = 0;
    int64_t now = 5 * second;
    CHECK_EQUAL(bucket_draw(&full, now, 0.25e9, second), 0);
    CHECK_EQUAL(bucket_draw(&full, now, 10e9, second), 0); /* there was something left */
    CHECK_EQUAL(bucket_lacks(&full, now), 10 * second + second / 4);
    int64_t wait = bucket_draw(&full, now, 1, second);
    CHECK_EQUAL(wait, 9 * second + second / 4 + 1);
    CHECK_TRUE(bucket_draw(&full, now + wait - 1, 1, second) > 0);
    CHECK_EQUAL(bucket_draw(&full, now + wait, 1, second), 0);
    CHECK_EQUAL(bucket_draw(&full, now + 1000 * second, 1e300, second), 0);
    CHECK_TRUE(bucket_draw(&full, now + 2000 * second, 1, second) > 1000000 * second);
}

enum { THREADS = 8, TRIES = 2000, BURST = 1234 };

typedef struct {
    bucket full;
    atomic_int passed;
} crowd;

static void *take_many(void *argument) {
    crowd *crowd = argument;
    for (int i = 0; i < TRIES; i++)
        if (bucket_take(&crowd->full, second, 10, BURST * 10) == 0)
            crowd->passed++;
    return NULL;
}

Test(quota, many_at_once_get_the_burst_and_not_one_more) {
    crowd crowd = {.full = 0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert(pthread_create(&threads[i], NULL, take_many, &crowd) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQUAL(crowd.passed, BURST);
}

Test(quota, work_is_charged_until_there_is_none_left) {
    usage usage = {0};
    refusal_counts refusals = {0};
    caller worker = {.limits = {.work = 1000000}, .usage = &usage, .refusals = &refusals};
    problem problem;
    CHECK_TRUE(caller_work(&worker, 900000, &problem));
    CHECK_TRUE(caller_work(&worker, 3000000, &problem));
    CHECK_TRUE(!caller_work(&worker, 1, &problem));
    CHECK_EQUAL(problem.kind, PROBLEM_RATE_LIMITED);
    CHECK(problem.retry_after >= 2 && problem.retry_after <= 3, "%d", problem.retry_after);
    CHECK_EQUAL(usage.worked, 3900000);
    CHECK_EQUAL(usage.refused, 1);
    CHECK_EQUAL(refusals.count[REFUSED_WORK], 1);
    worker.limits.work = 0;
    CHECK_TRUE(caller_work(&worker, 1e300, &problem));
    CHECK_TRUE(caller_work(NULL, 1e300, &problem));
}
