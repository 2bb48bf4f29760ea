/* Threads that compute dear calls, and the bounded queue before them. */
#include "base/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/turns.h"

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is a job, or the end */
    job *first, **last;  /* under the lock, as all below */
    size_t waiting;
    bool stopping;
    atomic_size_t places; /* left in the queue */
    int64_t patience;
    bool computes;
    layers_pool *pool; /* where it computes */
    size_t threads;
    pthread_t thread[];
};

/* Takes the job at a place out of the queue. */
static job *take(workers *w, job **place) {
    job *job = *place;
    *place = job->next;
    if (!job->next)
        w->last = place;
    w->waiting--;
    atomic_fetch_add(&w->places, 1);
    return job;
}

/* Why a job that waits need not be computed. */
static bool is_vain(const workers *w, job *job, drop_reason *reason) {
    *reason = w->stopping ? DROP_STOPPING : DROP_LATE;
    if (w->stopping || clock_coarse_ms() - job->since > w->patience)
        return true;
    *reason = DROP_UNWANTED;
    return !job->is_wanted(job);
}

static void *work(void *argument) {
    workers *w = argument;
    drop_reason reason;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->stopping)
            pthread_cond_wait(&w->work, &w->lock);
        if (!w->first)
            break;
        job *job = take(w, &w->first);
        bool vain = is_vain(w, job, &reason);
        pthread_mutex_unlock(&w->lock);
        if (vain) {
            job->drop(job, reason);
        } else if (!w->computes) {
            job->run(job);
        } else {
            turns_give_way(true);
            layers_pool_callers(w->pool, 1);
            job->run(job);
            layers_pool_callers(w->pool, -1);
            turns_give_way(false);
        }
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Starts the threads from one of its own, whose priority they inherit: a thread without rights can
 * lower its priority, and never raise it again. */
static void *start_threads(void *argument) {
    workers *w = argument;
    size_t wanted = w->threads;
    if (w->computes) {
        turns_to_compute();
        w->pool = layers_pool_make((unsigned)wanted - 1, turns_give_way);
    } else {
        turns_to_answer(false);
    }
    for (w->threads = 0; w->threads < wanted; w->threads++)
        if (pthread_create(&w->thread[w->threads], NULL, work, w) != 0)
            break;
    return (w->pool || !w->computes) && w->threads == wanted ? w : NULL;
}

static workers *start(size_t threads, size_t most, int64_t patience, bool computes) {
    workers *w = calloc(1, sizeof *w + threads * sizeof *w->thread);
    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    w->last = &w->first;
    w->places = most;
    w->patience = patience;
    w->computes = computes;
    w->threads = threads;
    pthread_t starter;
    void *started = NULL;
    if (pthread_create(&starter, NULL, start_threads, w) == 0)
        pthread_join(starter, &started);
    else
        w->threads = 0;
    if (started)
        return w;
    workers_free(w);
    return NULL;
}

workers *workers_start(size_t threads, size_t most, int64_t patience) {
    return start(threads, most, patience, true);
}

workers *workers_start_waiting(size_t threads, size_t most, int64_t patience) {
    return start(threads, most, patience, false);
}

layers_pool *workers_pool(workers *w) {
    return w->pool;
}

bool workers_admit(workers *w) {
    size_t places = atomic_load(&w->places);
    while (places > 0)
        if (atomic_compare_exchange_weak(&w->places, &places, places - 1))
            return true;
    return false;
}

void workers_post(workers *w, job *job) {
    job->since = clock_coarse_ms();
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->last = job;
    w->last = &job->next;
    w->waiting++;
    pthread_mutex_unlock(&w->lock);
    pthread_cond_signal(&w->work); /* who wakes at once is not to wait for the lock */
}

void workers_tend(workers *w) {
    drop_reason reason;
    pthread_mutex_lock(&w->lock);
    for (job **place = &w->first; *place;) {
        if (is_vain(w, *place, &reason)) {
            job *job = take(w, place);
            job->drop(job, reason);
        } else {
            place = &(*place)->next;
        }
    }
    pthread_mutex_unlock(&w->lock);
}

size_t workers_waiting(workers *w) {
    pthread_mutex_lock(&w->lock);
    size_t waiting = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return waiting;
}

void workers_stop(workers *w) {
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->threads; i++)
        pthread_join(w->thread[i], NULL);
    w->threads = 0;
}

void workers_free(workers *w) {
    if (!w)
        return;
    workers_stop(w);
    layers_pool_free(w->pool);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
