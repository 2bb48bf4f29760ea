/* Threads that compute dear calls, and the bounded queue before them: first come, first served.
 *
 *     if (!workers_admit(workers)) ... refuse, at once
 *     ... get ready to be called from another thread ...
 *     workers_post(workers, &job);
 *
 * Exactly one of run and drop is called for each job, from another thread. */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/pool.h"

typedef enum {
    DROP_LATE,     /* it waited for longer than it may */
    DROP_UNWANTED, /* nobody waits for it any more */
    DROP_STOPPING, /* the workers are stopped */
} drop_reason;

typedef struct job {
    void (*run)(struct job *job);
    void (*drop)(struct job *job, drop_reason reason);
    bool (*is_wanted)(struct job *job); /* looked at while it waits; quick */
    int64_t since;                      /* when it was posted, of clock_coarse_ms() */
    struct job *next;
} job;

typedef struct workers workers;

/* `threads` threads, at most `most` jobs waiting, none for longer than `patience` milliseconds.
 * They run at a lower priority than the caller's: what only answers goes before what computes. NULL
 * where there is no memory or no thread. */
workers *workers_start(size_t threads, size_t most, int64_t patience);

/* The same at the caller's own priority and without helpers: for jobs that wait more than they
 * compute. */
workers *workers_start_waiting(size_t threads, size_t most, int64_t patience);

/* Helpers of the same priority that the jobs' calls share (layers_call.pool). */
layers_pool *workers_pool(workers *workers);

/* Takes a place in the queue; false where there is none. */
bool workers_admit(workers *workers);

/* Queues a job for which a place was taken. */
void workers_post(workers *workers, job *job);

/* Drops the jobs that wait in vain. To be called now and then. */
void workers_tend(workers *workers);

size_t workers_waiting(workers *workers);

/* Drops what waits, and finishes what runs: none of the threads is left. Nothing may be posted
 * after it. */
void workers_stop(workers *workers);

/* Stops them where that was not done, and frees. */
void workers_free(workers *workers);

#endif
