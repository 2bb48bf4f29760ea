/* Counters: nothing is lost between threads, and every value has its bucket. */
#include "metrics.h"

#include <math.h>

#include "common/threads.h"

TestSuite(metrics);

enum { ROUTES = 3, THREADS = 40, TIMES = 1000 };

static metrics *make(void) {
    metrics *m = metrics_make(ROUTES);
    cr_assert(m);
    return m;
}

static void count_often(void *context, int number, char fault[FAULT_TEXT]) {
    (void)number, (void)fault;
    for (int i = 0; i < TIMES; i++) {
        metrics_move(context, METRICS_REQUESTS, 1);
        metrics_answered(context, 1, 10,
                         &(reply){.status = 200, .body_length = 2000, .read_ms = 0.25});
        metrics_move(context, METRICS_REQUESTS, -1);
    }
}

Test(metrics, nothing_is_lost_between_threads) {
    metrics *m = make();
    metrics_route sum;
    threads_run(THREADS, count_often, m);
    metrics_read(m, 1, &sum);
    CHECK_EQUAL(sum.statuses[200 - METRICS_STATUS_FIRST], THREADS * TIMES);
    CHECK_EQUAL(sum.taken.sum, 10 * THREADS * TIMES);
    CHECK_EQUAL(sum.given.sum, 2000 * THREADS * TIMES);
    CHECK_EQUAL(sum.phases[0].sum, 250000LL * THREADS * TIMES);
    CHECK_EQUAL(metrics_level_of(m, METRICS_REQUESTS), 0);
    metrics_read(m, 0, &sum);
    CHECK_EQUAL(sum.statuses[200 - METRICS_STATUS_FIRST], 0);
    metrics_free(m);
}

static void expect_bucket(const metrics_histogram *histogram, const double *bounds, double bound) {
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        CHECK_EQUAL(histogram->bucket[i], bounds[i] == bound);
        if (isinf(bounds[i]))
            break;
    }
}

Test(metrics, a_value_is_in_the_first_bucket_that_holds_it) {
    static const struct {
        double ms, seconds;
        size_t bytes;
        double bound;
    } cases[] = {
        {0.0005, 1e-6, 0, 1e2},
        {1, 1e-3, 100, 1e2},
        {1.0001, 5e-3, 101, 1e3},
        {9999, 10, 999999999, 1e9},
        {10001, INFINITY, 2000000000, INFINITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        metrics *m = make();
        metrics_route sum;
        metrics_answered(m, 2, cases[i].bytes, &(reply){.status = 599, .read_ms = cases[i].ms});
        metrics_read(m, 2, &sum);
        expect_bucket(&sum.phases[0], metrics_seconds, cases[i].seconds);
        expect_bucket(&sum.taken, metrics_bytes, cases[i].bound);
        expect_bucket(&sum.given, metrics_bytes, 1e2);
        CHECK_EQUAL(sum.statuses[METRICS_STATUSES - 1], 1);
        metrics_free(m);
    }
}

Test(metrics, a_level_may_fall_in_another_thread) {
    metrics *m = make();
    metrics_move(m, METRICS_CONNECTIONS, 3);
    threads_run(THREADS, count_often, m);
    metrics_move(m, METRICS_CONNECTIONS, -1);
    CHECK_EQUAL(metrics_level_of(m, METRICS_CONNECTIONS), 2);
    metrics_free(m);
}
