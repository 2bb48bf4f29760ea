/* The way to the store: links for calls. */
#include "store/redis/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "store/redis/health.h"
#include "store/redis/watch.h"

/* Waits for the store to be up, as long as that is in doubt. */
static bool await_up(redis_pool *pool, int64_t until) {
    while (!pool_is_up(pool) && atomic_load(&pool->in_doubt) && link_now() < until)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return pool_is_up(pool);
}

void pool_settle(redis_pool *pool) {
    await_up(pool, link_now() + POOL_SILENCE);
}

static redis_link *take_waiting(redis_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    redis_link *link = pool->idle;
    if (link)
        pool->idle = link->next;
    pthread_mutex_unlock(&pool->lock);
    return link;
}

static int64_t deadline_of(const redis_pool *pool, size_t bytes) {
    return link_now() + pool->setup.timeout + (int64_t)(bytes / POOL_RATE);
}

redis_link *pool_take(redis_pool *pool, size_t bytes, bool *reused) {
    int64_t deadline = deadline_of(pool, bytes);
    if (!await_up(pool, deadline))
        return NULL;
    redis_link *link;
    *reused = true;
    while ((link = take_waiting(pool)) && link_is_stale(link))
        link_close(link);
    if (!link) {
        *reused = false;
        pthread_mutex_lock(&pool->lock);
        redis_node node = pool->node;
        unsigned generation = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        link = find_open(&pool->setup.address, &node, deadline);
        if (link)
            link->generation = generation;
    }
    if (link)
        link->deadline = deadline;
    return link;
}

/* Whether the store has not been away since the link was opened. */
static bool is_current(redis_pool *pool, const redis_link *link) {
    pthread_mutex_lock(&pool->lock);
    bool current = link->generation == pool->generation && pool->health.up;
    pthread_mutex_unlock(&pool->lock);
    return current;
}

bool pool_keep(redis_pool *pool, redis_link *link, size_t bytes) {
    link->deadline = deadline_of(pool, bytes);
    return is_current(pool, link);
}

bool pool_believes(redis_pool *pool, const redis_link *link, int64_t began, size_t bytes) {
    bool current = is_current(pool, link);
    if (pool->setup.address.way != REDIS_SENTINEL ||
        (current && !pool_was_silent(pool, began, bytes)))
        return true;
    if (current)
        pool_doubt(pool, pool_silent);
    bool up = await_up(pool, link->deadline);
    pthread_mutex_lock(&pool->lock);
    bool is_same_node = link->generation >= pool->moved;
    pthread_mutex_unlock(&pool->lock);
    return up && is_same_node;
}

void pool_give(redis_pool *pool, redis_link *link) {
    pthread_mutex_lock(&pool->lock);
    bool current = link->generation == pool->generation;
    bool keep = current && pool->health.up && link->state == LINK_GOOD;
    if (keep) {
        link->next = pool->idle;
        pool->idle = link;
    }
    pthread_mutex_unlock(&pool->lock);
    if (keep)
        return;
    if (current && pool_is_no_store(link))
        pool_go_away(pool, link->text);
    link_close(link);
}

static redis_pool *make_pool(const redis_setup *setup) {
    redis_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->setup = *setup;
    pool->health.since = link_now();
    strcpy(pool->cursor, "0");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pool;
}

static void free_pool(redis_pool *pool) {
    link_close(pool->link);
    pool_forget(pool);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

pool_start_result pool_start(redis_pool **made, const redis_setup *setup, char fault[LINK_TEXT]) {
    redis_pool *pool = make_pool(setup);
    bool wrong = false;
    *made = NULL;
    if (!pool)
        return POOL_FAILED;
    if (!watch_look(pool, &wrong, fault)) {
        watch_drop_link(pool);
        snprintf(pool->health.text, sizeof pool->health.text, "%s", fault);
        if (!wrong)
            log_line(LOG_WARN, "the store is away: %s", fault);
    }
    if (!wrong && watch_start(pool)) {
        *made = pool;
        return POOL_STARTED;
    }
    free_pool(pool);
    return wrong ? POOL_WRONG : POOL_FAILED;
}

void pool_stop(redis_pool *pool) {
    if (!pool)
        return;
    watch_stop(pool);
    free_pool(pool);
}
