/* What the daemon counts, for GET /metrics. Counting is a few relaxed additions in cells that
 * threads seldom share; whoever reads adds the cells up. Thread-safe. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "request.h"

typedef enum {
    METRICS_REQUESTS,      /* that have begun and whose answer has not gone out */
    METRICS_CONNECTIONS,   /* that are open */
    METRICS_QUEUE_REFUSED, /* requests, as the queue was full */
    METRICS_QUEUE_LATE,    /* requests that waited for too long */
    METRICS_LEVELS
} metrics_level;

enum {
    METRICS_PHASES = 3, /* read, compute, write */
    METRICS_STATUS_FIRST = 100,
    METRICS_STATUSES = 500, /* 100 to 599 */
    METRICS_BUCKETS = 16,   /* room in a histogram, that of +Inf counted */
};

typedef struct {
    uint64_t bucket[METRICS_BUCKETS]; /* observations of each bucket alone, up to +Inf */
    uint64_t sum;
} metrics_histogram;

/* What is known of one route. */
typedef struct {
    uint64_t statuses[METRICS_STATUSES];
    metrics_histogram phases[METRICS_PHASES]; /* nanoseconds */
    metrics_histogram taken, given;           /* bytes of bodies */
} metrics_route;

/* Upper bounds of the buckets, in seconds and in bytes; the last is infinite. */
extern const double metrics_seconds[METRICS_BUCKETS], metrics_bytes[METRICS_BUCKETS];

typedef struct metrics metrics;

/* For so many routes; NULL where there is no memory. */
metrics *metrics_make(size_t routes);
void metrics_free(metrics *metrics);

/* A level rises, or falls. */
void metrics_move(metrics *metrics, metrics_level level, int by);

/* A request of a route, with a body of so many bytes, is answered. */
void metrics_answered(metrics *metrics, size_t route, size_t body_length, const reply *reply);

int64_t metrics_level_of(metrics *metrics, metrics_level level);
void metrics_read(metrics *metrics, size_t route, metrics_route *sum);

#endif
