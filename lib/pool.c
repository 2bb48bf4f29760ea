/* Threads that share the work of large calls. */
#include "layers/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* On the stack of the call that it belongs to, and in the pool's list until its last piece has been
 * taken; the call returns when no helper is at it any more. */
typedef struct job {
    void (*task)(void *argument, size_t i);
    void *argument;
    size_t count;
    atomic_size_t next;  /* piece to be taken; may pass `count` */
    atomic_uint helpers; /* at it now; changed under the pool's lock */
    bool listed;         /* under the pool's lock */
    int processor;       /* that the call began on */
    struct job *before, *after;
} job;

/* A thread that is woken by the system starts some 50 µs later, which is as long as many a call
 * takes. So one that has become idle, or waits for another's last piece, keeps looking for a little
 * longer than that before it sleeps. A pool without calls sleeps. */
enum { LOOK_NS = 60000 };

struct layers_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there may be a job, or the end */
    pthread_cond_t done; /* a job's last helper has left it */
    job *first;
    atomic_uint jobs; /* in the list; changed under the lock */
    atomic_int callers;
    bool ending;
    void (*busy)(bool yes);
    unsigned threads;
    pthread_t thread[];
};

static void pause_briefly(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static int64_t clock_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void await_job(layers_pool *pool) {
    const int64_t end = clock_ns() + LOOK_NS;
    while (atomic_load_explicit(&pool->jobs, memory_order_relaxed) == 0 && clock_ns() < end)
        pause_briefly();
}

static void await_helpers(job *job) {
    const int64_t end = clock_ns() + LOOK_NS;
    while (atomic_load_explicit(&job->helpers, memory_order_relaxed) > 0 && clock_ns() < end)
        pause_briefly();
}

/* Goes to another processor where it finds itself on the caller's. Linux wakes a thread there if it
 * takes no other for idle, and in a virtual machine it takes none for idle that the host has put to
 * sleep: the two would then take turns, with a processor free beside them. A processor that the
 * process is given later is not for a helper that has left once. */
static void leave(int processor) {
    cpu_set_t all, others;
    if (sched_getcpu() != processor || sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    others = all;
    CPU_CLR((size_t)processor, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof all, &all);
}

static void take_pieces(job *job) {
    size_t i;
    while ((i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) < job->count)
        job->task(job->argument, i);
}

static void unlist(layers_pool *pool, job *job) {
    if (!job->listed)
        return;
    *(job->before ? &job->before->after : &pool->first) = job->after;
    if (job->after)
        job->after->before = job->before;
    job->listed = false;
    pool->jobs--;
}

static void *help(void *argument) {
    layers_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->first && !pool->ending)
            pthread_cond_wait(&pool->work, &pool->lock);
        if (pool->ending)
            break;
        job *job = pool->first;
        job->helpers++;
        pthread_mutex_unlock(&pool->lock);
        if (pool->busy)
            pool->busy(true);
        leave(job->processor);
        take_pieces(job);
        if (pool->busy)
            pool->busy(false);
        pthread_mutex_lock(&pool->lock);
        unlist(pool, job); /* it has no piece left */
        if (--job->helpers == 0)
            pthread_cond_broadcast(&pool->done);
        pthread_mutex_unlock(&pool->lock);
        await_job(pool);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

void layers_pool_callers(layers_pool *pool, int by) {
    if (pool)
        atomic_fetch_add_explicit(&pool->callers, by, memory_order_relaxed);
}

static bool is_crowded(layers_pool *pool) {
    return atomic_load_explicit(&pool->callers, memory_order_relaxed) > (int)pool->threads;
}

void layers_pool_run(layers_pool *pool, size_t count, void (*task)(void *argument, size_t i),
                     void *argument) {
    size_t done = 0;
    while (done < count && (!pool || pool->threads == 0 || count - done < 2 || is_crowded(pool)))
        task(argument, done++);
    if (done == count)
        return;
    job job = {.task = task,
               .argument = argument,
               .count = count,
               .next = done,
               .listed = true,
               .processor = sched_getcpu()};
    pthread_mutex_lock(&pool->lock);
    job.after = pool->first;
    if (pool->first)
        pool->first->before = &job;
    /* cppcheck-suppress autoVariables; it is out of the list before this function returns */
    pool->first = &job;
    pool->jobs++;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_broadcast(&pool->work); /* who wakes at once is not to wait for the lock */

    take_pieces(&job);

    pthread_mutex_lock(&pool->lock);
    unlist(pool, &job);
    pthread_mutex_unlock(&pool->lock);
    await_helpers(&job);
    pthread_mutex_lock(&pool->lock);
    while (job.helpers > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

layers_pool *layers_pool_make(unsigned threads, void (*busy)(bool yes)) {
    layers_pool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->thread);
    if (!pool)
        return NULL;
    pool->busy = busy;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (; pool->threads < threads; pool->threads++)
        if (pthread_create(&pool->thread[pool->threads], NULL, help, pool) != 0) {
            layers_pool_free(pool);
            return NULL;
        }
    return pool;
}

void layers_pool_free(layers_pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
