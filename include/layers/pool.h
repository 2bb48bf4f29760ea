/* Threads that share the work of large calls.
 *
 * One pool serves any number of calls at once: a call's own thread always works on it, and threads
 * of the pool that have nothing to do help. How work is cut depends on its shape alone, so a result
 * has the same bytes with any number of threads, and whatever else is being computed. */
#ifndef LAYERS_POOL_H
#define LAYERS_POOL_H

#include "layers/error.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct layers_pool layers_pool;

/* Starts a pool of `threads` helpers, none of them for 0. They block the signals that the caller
 * blocks and run on the processors that it may run on; one that finds itself on the processor of
 * the call that it helps moves to another of these. A helper calls busy(true) before it works for a
 * call and busy(false) after it; `busy` may be NULL. NULL where there is no memory or no thread. */
LAYERS_API layers_pool *layers_pool_make(unsigned threads, void (*busy)(bool yes));

/* A thread that is about to compute calls with the pool says so, by +1, and by -1 when it is done.
 * Where as many have as the pool has threads and one more, each has enough to do with its own
 * calls: these are computed without help. Threads that do not say so are helped in any case. */
LAYERS_API void layers_pool_callers(layers_pool *pool, int by);

/* Ends the threads and frees. No call may be using the pool. NULL is fine. */
LAYERS_API void layers_pool_free(layers_pool *pool);

/* Runs task(argument, i) once for each i from 0 to count - 1, in any order and several at a time,
 * and returns when all are done. In the calling thread alone where pool is NULL. May be called from
 * any thread, but not by a task. */
LAYERS_API void layers_pool_run(layers_pool *pool, size_t count,
                                void (*task)(void *argument, size_t i), void *argument);

#ifdef __cplusplus
}
#endif
#endif
