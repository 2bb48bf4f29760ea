/* Whether the store is up. */
#include "store/redis/health.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

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

bool pool_is_up(const redis_pool *pool) {
    return atomic_load_explicit(&pool->up, memory_order_relaxed);
}

bool pool_is_refused(const redis_link *link, const char *const *words) {
    for (; link->state == LINK_REFUSED && *words; words++)
        if (!strncmp(link->text, *words, strlen(*words)))
            return true;
    return false;
}

bool pool_was_silent(const redis_pool *pool, int64_t began, size_t bytes) {
    return pool->setup.address.way == REDIS_SENTINEL &&
           link_now() - began > POOL_SILENCE + (int64_t)(bytes / POOL_RATE);
}

bool pool_is_no_store(const redis_link *link) {
    static const char *const words[] = {"READONLY", "LOADING",   "MASTERDOWN", "CLUSTERDOWN",
                                        "NOAUTH",   "WRONGPASS", "TLS:",       NULL};
    return link->state == LINK_LOST || link->state == LINK_LATE || pool_is_refused(link, words);
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
