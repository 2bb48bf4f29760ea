/* Counters in shards: a thread adds in the shard of its number. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>

enum { SHARDS = 16, CACHE_LINE = 64 };

typedef atomic_uint_fast64_t counter;

typedef struct {
    counter bucket[METRICS_BUCKETS];
    counter sum;
} histogram;

typedef struct {
    counter statuses[METRICS_STATUSES];
    histogram phases[METRICS_PHASES];
    histogram taken, given;
} cell;

typedef struct {
    _Alignas(CACHE_LINE) counter level[METRICS_LEVELS]; /* below 0 where another shard's is above */
} levels;

struct metrics {
    levels levels[SHARDS];
    size_t routes;
    cell *cells; /* of all routes, shard after shard */
};

const double metrics_seconds[METRICS_BUCKETS] = {
    1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 1, 5, 10, INFINITY};
const double metrics_bytes[METRICS_BUCKETS] = {1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, INFINITY};

metrics *metrics_make(size_t routes) {
    metrics *m = aligned_alloc(CACHE_LINE, sizeof *m);
    if (!m)
        return NULL;
    /* one piece, large enough to be zeroed pages of the system: what is not touched costs nothing
     */
    *m = (metrics){.routes = routes, .cells = calloc(SHARDS * routes, sizeof(cell))};
    if (m->cells)
        return m;
    free(m);
    return NULL;
}

void metrics_free(metrics *metrics) {
    if (!metrics)
        return;
    free(metrics->cells);
    free(metrics);
}

static unsigned own_shard(void) {
    static atomic_uint threads;
    static _Thread_local unsigned number; /* from 1 */
    if (number == 0)
        number = atomic_fetch_add(&threads, 1) + 1;
    return number % SHARDS;
}

static void add(counter *counter, uint64_t by) {
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static uint64_t get(counter *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(histogram *histogram, const double *bounds, double value, uint64_t amount) {
    size_t i = 0;
    while (value > bounds[i])
        i++;
    add(&histogram->bucket[i], 1);
    add(&histogram->sum, amount);
}

static void observe_ms(histogram *histogram, double ms) {
    observe(histogram, metrics_seconds, ms * 1e-3, (uint64_t)(ms * 1e6));
}

static void observe_bytes(histogram *histogram, size_t bytes) {
    observe(histogram, metrics_bytes, (double)bytes, bytes);
}

void metrics_move(metrics *metrics, metrics_level level, int by) {
    add(&metrics->levels[own_shard()].level[level], (uint64_t)(int64_t)by);
}

void metrics_answered(metrics *metrics, size_t route, size_t body_length, const reply *reply) {
    cell *cell = &metrics->cells[own_shard() * metrics->routes + route];
    add(&cell->statuses[reply->status - METRICS_STATUS_FIRST], 1);
    observe_bytes(&cell->taken, body_length);
    observe_bytes(&cell->given, reply->body_length);
    if (!(reply->read_ms > 0))
        return; /* refused before it was read: no times to tell */
    observe_ms(&cell->phases[0], reply->read_ms);
    observe_ms(&cell->phases[1], reply->compute_ms);
    observe_ms(&cell->phases[2], reply->write_ms);
}

int64_t metrics_level_of(metrics *metrics, metrics_level level) {
    uint64_t sum = 0;
    for (int i = 0; i < SHARDS; i++)
        sum += get(&metrics->levels[i].level[level]);
    return (int64_t)sum;
}

static void add_up(metrics_histogram *sum, histogram *histogram) {
    for (int i = 0; i < METRICS_BUCKETS; i++)
        sum->bucket[i] += get(&histogram->bucket[i]);
    sum->sum += get(&histogram->sum);
}

void metrics_read(metrics *metrics, size_t route, metrics_route *sum) {
    *sum = (metrics_route){0};
    for (int s = 0; s < SHARDS; s++) {
        cell *cell = &metrics->cells[(size_t)s * metrics->routes + route];
        for (int i = 0; i < METRICS_STATUSES; i++)
            sum->statuses[i] += get(&cell->statuses[i]);
        for (int i = 0; i < METRICS_PHASES; i++)
            add_up(&sum->phases[i], &cell->phases[i]);
        add_up(&sum->taken, &cell->taken);
        add_up(&sum->given, &cell->given);
    }
}
