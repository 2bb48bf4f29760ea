/* The way to the store: whether it is up, and links for calls. */
#include "store/redis/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "store/redis/watch.h"

enum {
    SILENCE = 500, /* beside the time of the bytes: Sentinels replace who is silent for longer */
    RATE = 16384,  /* bytes a millisecond that values take at the worst */
};

const char pool_silent[] = "it was silent, and may have been replaced";

static void close_all(redis_link *list) {
    for (redis_link *next; list; list = next) {
        next = list->next;
        link_close(list);
    }
}

/* Under the lock: takes all that wait. */
static redis_link *take_idle(redis_pool *pool) {
    redis_link *list = pool->idle;
    pool->idle = NULL;
    return list;
}

void pool_forget(redis_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    redis_link *list = take_idle(pool);
    pthread_mutex_unlock(&pool->lock);
    close_all(list);
}

/* ---- up and away -------------------------------------------------------------------------------
 */

void pool_go_away(redis_pool *pool, const char *why) {
    pthread_mutex_lock(&pool->lock);
    bool was_up = pool->health.up;
    snprintf(pool->health.text, sizeof pool->health.text, "%s", why);
    redis_link *list = take_idle(pool);
    if (was_up) {
        pool->health.up = false;
        atomic_store(&pool->up, false);
        pool->health.since = link_now();
        pool->health.losses++;
        pool->generation++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    close_all(list);
    if (was_up)
        log_line(LOG_WARN, "the store is away: %s", why);
}

bool pool_come_up(redis_pool *pool, const redis_node *node, unsigned doubts) {
    pthread_mutex_lock(&pool->lock);
    if (doubts != atomic_load(&pool->doubts)) {
        pthread_mutex_unlock(&pool->lock);
        return false;
    }
    bool was_up = pool->health.up;
    bool moved = pool->health.connects > 0 && !redis_node_is_same(&pool->node, node);
    double away = (double)(link_now() - pool->health.since) / 1e3;
    redis_link *list = moved ? take_idle(pool) : NULL;
    pool->generation += moved;
    pool->moved = moved ? pool->generation : pool->moved;
    pool->health.moves += moved;
    pool->health.connects++;
    pool->node = *node;
    if (!was_up) {
        pool->health.up = true;
        pool->health.since = link_now();
        pool->health.away += away;
        atomic_store(&pool->up, true);
    }
    atomic_store(&pool->in_doubt, false);
    bool first = pool->health.connects == 1;
    pthread_mutex_unlock(&pool->lock);
    close_all(list);
    if (first)
        log_line(LOG_INFO, "handles are kept in the store at %s%s%.*d", node->host,
                 node->port ? ":" : "", node->port > 0, node->port);
    else if (moved)
        log_line(LOG_WARN, "the store is at %s:%d now", node->host, node->port);
    else if (!was_up)
        log_line(LOG_INFO, "the store is back after %.1f s", away);
    return true;
}

void pool_doubt(redis_pool *pool, const char *why) {
    atomic_fetch_add(&pool->doubts, 1);
    atomic_store(&pool->in_doubt, true);
    pool_go_away(pool, why);
}

/* ---- links for calls ---------------------------------------------------------------------------
 */

bool pool_is_up(const redis_pool *pool) {
    return atomic_load_explicit(&pool->up, memory_order_relaxed);
}

/* Waits for the store to be up, as long as that is in doubt. */
static bool await_up(redis_pool *pool, int64_t until) {
    while (!pool_is_up(pool) && atomic_load(&pool->in_doubt) && link_now() < until)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return pool_is_up(pool);
}

void pool_settle(redis_pool *pool) {
    await_up(pool, link_now() + SILENCE);
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
    return link_now() + pool->setup.timeout + (int64_t)(bytes / RATE);
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

bool pool_is_refused(const redis_link *link, const char *const *words) {
    for (; link->state == LINK_REFUSED && *words; words++)
        if (!strncmp(link->text, *words, strlen(*words)))
            return true;
    return false;
}

bool pool_was_silent(const redis_pool *pool, int64_t began, size_t bytes) {
    return pool->setup.address.way == REDIS_SENTINEL &&
           link_now() - began > SILENCE + (int64_t)(bytes / RATE);
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

bool pool_is_no_store(const redis_link *link) {
    static const char *const words[] = {"READONLY", "LOADING",   "MASTERDOWN", "CLUSTERDOWN",
                                        "NOAUTH",   "WRONGPASS", "TLS:",       NULL};
    return link->state == LINK_LOST || link->state == LINK_LATE || pool_is_refused(link, words);
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

void pool_health(redis_pool *pool, redis_health *health) {
    pthread_mutex_lock(&pool->lock);
    *health = pool->health;
    pthread_mutex_unlock(&pool->lock);
    if (!health->up)
        health->away += (double)(link_now() - health->since) / 1e3;
}

void pool_used(redis_pool *pool, int64_t bytes) {
    pthread_mutex_lock(&pool->lock);
    pool->health.used += (uint64_t)bytes;
    pthread_mutex_unlock(&pool->lock);
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
    close_all(pool->idle);
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
