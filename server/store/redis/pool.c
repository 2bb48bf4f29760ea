/* The way to the store, and the watcher who looks after it. */
#include "store/redis/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "store/redis/find.h"

enum {
    TICK = 100,     /* milliseconds between the watcher's steps */
    FAST_TICK = 20, /* where memory runs short */
    LOOK_EVERY = 1000,
    FIRST_PAUSE = 50, /* before another try */
    LONGEST_PAUSE = 1000,
    STEADY = 5000, /* up for so long, it is not flapping */
    SILENCE = 500, /* beside the time of the bytes: Sentinels replace who is silent for longer */
    RATE = 16384,  /* bytes a millisecond that values take at the worst */
};

struct redis_pool {
    redis_setup setup;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    redis_link *idle; /* under the lock, as all below */
    redis_node node;
    unsigned generation; /* of links: those of an earlier one are closed */
    unsigned moved;      /* the first one of this node's */
    redis_health health;
    bool stopping;
    atomic_bool up;       /* the same as health.up */
    atomic_bool in_doubt; /* away until Sentinels have been asked, which takes a moment */
    pthread_t watcher;
    redis_link *link; /* the watcher's own, as all below */
    char cursor[24];  /* of SCAN */
    int pause;
    int64_t looked;
};

static const char silent[] = "it was silent, and may have been replaced";

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

static void go_away(redis_pool *pool, const char *why) {
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

static bool is_same(const redis_node *a, const redis_node *b) {
    return !strcmp(a->host, b->host) && a->port == b->port;
}

/* The store answers, at this node. */
static void come_up(redis_pool *pool, const redis_node *node) {
    pthread_mutex_lock(&pool->lock);
    bool was_up = pool->health.up;
    bool moved = pool->health.connects > 0 && !is_same(&pool->node, node);
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
}

/* It has to be asked for anew whether the node is the one to be asked. */
static void doubt(redis_pool *pool) {
    atomic_store(&pool->in_doubt, true);
    go_away(pool, silent);
}

/* ---- links for calls ---------------------------------------------------------------------------
 */

static bool is_up(const redis_pool *pool) {
    return atomic_load_explicit(&pool->up, memory_order_relaxed);
}

/* Waits for the store to be up, as long as that is in doubt. */
static bool await_up(redis_pool *pool, int64_t until) {
    while (!is_up(pool) && atomic_load(&pool->in_doubt) && link_now() < until)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return is_up(pool);
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

/* Whether a link was refused by an error that begins with one of these words, ended by NULL. */
static bool is_refused(const redis_link *link, const char *const *words) {
    for (; link->state == LINK_REFUSED && *words; words++)
        if (!strncmp(link->text, *words, strlen(*words)))
            return true;
    return false;
}

/* Whether what began then took so long that a Sentinel may have taken the node for dead. */
static bool was_silent(const redis_pool *pool, int64_t began, size_t bytes) {
    return pool->setup.address.way == REDIS_SENTINEL &&
           link_now() - began > SILENCE + (int64_t)(bytes / RATE);
}

bool pool_believes(redis_pool *pool, const redis_link *link, int64_t began, size_t bytes) {
    bool current = is_current(pool, link);
    if (pool->setup.address.way != REDIS_SENTINEL || (current && !was_silent(pool, began, bytes)))
        return true;
    if (current)
        doubt(pool);
    bool up = await_up(pool, link->deadline);
    pthread_mutex_lock(&pool->lock);
    bool is_same_node = link->generation >= pool->moved;
    pthread_mutex_unlock(&pool->lock);
    return up && is_same_node;
}

/* Whether this node is not to be asked, whatever it is asked. */
static bool is_no_store(const redis_link *link) {
    static const char *const words[] = {"READONLY", "LOADING",   "MASTERDOWN", "CLUSTERDOWN",
                                        "NOAUTH",   "WRONGPASS", "TLS:",       NULL};
    return link->state == LINK_LOST || link->state == LINK_LATE || is_refused(link, words);
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
    if (current && is_no_store(link))
        go_away(pool, link->text);
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

/* ---- the watcher -------------------------------------------------------------------------------
 */

static void drop_link(redis_pool *pool) {
    link_close(pool->link);
    pool->link = NULL;
}

/* Holds the node to what a store must be. */
static bool is_fit(const redis_report *report, char text[LINK_TEXT]) {
    if (!report->is_master)
        snprintf(text, LINK_TEXT, "it is a replica of another");
    else if (report->evicts)
        snprintf(text, LINK_TEXT,
                 "its maxmemory-policy drops what was promised: it must be noeviction");
    return report->is_master && !report->evicts;
}

static void note(redis_pool *pool, const redis_report *report) {
    pthread_mutex_lock(&pool->lock);
    pool->health.used = report->used;
    pool->health.maximum = report->maximum;
    pool->health.replicas = report->replicas;
    pthread_mutex_unlock(&pool->lock);
}

/* Asks a node about itself over the watcher's link: once more over a new one, where the old one had
 * ended. */
static bool ask_report(redis_pool *pool, const redis_node *node, redis_report *report) {
    for (bool is_new = false; !is_new;) {
        is_new = !pool->link;
        if (is_new)
            pool->link = find_open(&pool->setup.address, node, link_now() + pool->setup.timeout);
        if (!pool->link)
            return false;
        pool->link->deadline = link_now() + pool->setup.timeout;
        if (find_report(pool->link, report))
            return true;
        if (!is_new && pool->link->state == LINK_LOST)
            drop_link(pool);
        else
            is_new = true;
    }
    return false;
}

/* Whether a node that has answered is still the one to be asked, by the word of all Sentinels: they
 * may have begun to replace it before it woke. */
static bool is_still_master(redis_pool *pool, const redis_node *node, char text[LINK_TEXT]) {
    const redis_setup *setup = &pool->setup;
    redis_node now;
    if (setup->address.way != REDIS_SENTINEL)
        return true;
    if (!find_master(&setup->address, &now, setup->timeout, true, text))
        return false;
    snprintf(text, LINK_TEXT, "it has just been replaced");
    return is_same(&now, node);
}

/* Looks at the store over the watcher's link, which it opens. *wrong: it is there, and is none that
 * may be used. */
static bool look(redis_pool *pool, bool *wrong, char text[LINK_TEXT]) {
    static const char *const never[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR", "TLS:", NULL};
    const redis_setup *setup = &pool->setup;
    redis_node node = pool->node;
    redis_report report;
    bool may_move = setup->address.way == REDIS_SENTINEL;
    *wrong = false;
    if ((!pool->link || may_move) &&
        !find_master(&setup->address, &node, setup->timeout, false, text))
        return false;
    if (!is_same(&node, &pool->node))
        drop_link(pool);
    int64_t asked = link_now();
    if (!ask_report(pool, &node, &report)) {
        snprintf(text, LINK_TEXT, "%s", pool->link ? pool->link->text : "no memory");
        *wrong = pool->link && is_refused(pool->link, never);
        return false;
    }
    if (!is_fit(&report, text)) {
        *wrong = report.is_master;
        return false;
    }
    bool is_new = !is_up(pool) || !is_same(&node, &pool->node);
    if (is_new && !is_still_master(pool, &node, text))
        return false;
    if (!is_new && was_silent(pool, asked, 0)) {
        snprintf(text, LINK_TEXT, "%s", silent);
        return false;
    }
    note(pool, &report);
    if (is_new)
        come_up(pool, &node);
    return true;
}

/* One step of going over all keys: what has expired is freed by that. */
static void sweep(redis_pool *pool) {
    const char *const ask[] = {"SCAN", pool->cursor, "COUNT", "1000"};
    pool->link->deadline = link_now() + pool->setup.timeout;
    link_ask(pool->link, 4, ask);
    link_flush(pool->link);
    redisReply *answer = link_answer(pool->link);
    if (!answer)
        return;
    if (answer->type == REDIS_REPLY_ARRAY && answer->elements == 2 &&
        answer->element[0]->type == REDIS_REPLY_STRING &&
        answer->element[1]->type == REDIS_REPLY_ARRAY) {
        snprintf(pool->cursor, sizeof pool->cursor, "%s", answer->element[0]->str);
        pthread_mutex_lock(&pool->lock);
        pool->health.swept += answer->element[1]->elements;
        pthread_mutex_unlock(&pool->lock);
    }
    freeReplyObject(answer);
}

/* After a good step: milliseconds until the next. What has been up for a while may be tried again
 * soon when it goes. */
static int settle(redis_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    if (link_now() - pool->health.since > STEADY)
        pool->pause = FIRST_PAUSE;
    bool is_short = pool->health.maximum && pool->health.used > pool->health.maximum / 5 * 4;
    pthread_mutex_unlock(&pool->lock);
    return is_short ? FAST_TICK : TICK;
}

/* Whether the watcher's link is whole. One that ended says nothing yet: the store may have started
 * again, and calls have found it. Nor does an error about keys that no daemon wrote. */
static bool link_holds(redis_pool *pool) {
    if (pool->link->state == LINK_GOOD)
        return true;
    if (pool->link->state != LINK_LOST && is_no_store(pool->link))
        go_away(pool, pool->link->text);
    drop_link(pool);
    return false;
}

/* One step; returns the milliseconds until the next. */
static int step(redis_pool *pool) {
    char text[LINK_TEXT] = "";
    bool wrong;
    if (!is_up(pool) || !pool->link || link_now() - pool->looked >= LOOK_EVERY) {
        if (!is_up(pool))
            drop_link(pool);
        pool->looked = link_now();
        if (!look(pool, &wrong, text)) {
            atomic_store(&pool->in_doubt, false);
            go_away(pool, text);
            drop_link(pool);
            pool->pause = pool->pause < LONGEST_PAUSE / 2 ? 2 * pool->pause : LONGEST_PAUSE;
            return pool->pause;
        }
    }
    int64_t asked = link_now();
    sweep(pool);
    if (link_holds(pool)) {
        pool->setup.chore(pool->link, pool->setup.context);
        link_holds(pool);
    }
    if (pool->link && was_silent(pool, asked, 0))
        doubt(pool);
    return pool->link && is_up(pool) ? settle(pool) : 1;
}

static void *watch(void *argument) {
    redis_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    int wait = TICK;
    while (!pool->stopping) {
        int64_t until = link_now() + wait;
        struct timespec time = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        pthread_cond_timedwait(&pool->wake, &pool->lock, &time);
        if (pool->stopping)
            break;
        pthread_mutex_unlock(&pool->lock);
        wait = step(pool);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static redis_pool *make_pool(const redis_setup *setup) {
    redis_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->setup = *setup;
    pool->pause = FIRST_PAUSE;
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
    if (!look(pool, &wrong, fault)) {
        drop_link(pool);
        snprintf(pool->health.text, sizeof pool->health.text, "%s", fault);
        if (!wrong)
            log_line(LOG_WARN, "the store is away: %s", fault);
    }
    if (!wrong && pthread_create(&pool->watcher, NULL, watch, pool) == 0) {
        *made = pool;
        return POOL_STARTED;
    }
    free_pool(pool);
    return wrong ? POOL_WRONG : POOL_FAILED;
}

void pool_stop(redis_pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    pthread_join(pool->watcher, NULL);
    free_pool(pool);
}
