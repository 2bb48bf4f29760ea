/* Who looks after the store. */
#include "store/redis/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/redis/health.h"

enum {
    TICK = 100,     /* milliseconds between the watcher's steps */
    FAST_TICK = 20, /* where memory runs short */
    LOOK_EVERY = 1000,
    FIRST_PAUSE = 50, /* before another try */
    LONGEST_PAUSE = 1000,
    STEADY = 5000, /* up for so long, it is not flapping */
    UNSEEN = 6000, /* a Sentinel goes by what others did not see up to five seconds ago */
};

static const char replaced[] = "a Sentinel says that it replaces it";

void watch_drop_link(redis_pool *pool) {
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
            watch_drop_link(pool);
        else
            is_new = true;
    }
    return false;
}

/* Whether a node that has answered is still the one to be asked, by the word of all Sentinels: they
 * may have begun to replace it before it woke, and may still do so while one of them does not see
 * it, for as long as they go by what they saw before. */
static bool is_still_master(redis_pool *pool, const redis_node *node, char text[LINK_TEXT]) {
    const redis_setup *setup = &pool->setup;
    redis_node now;
    bool unseen;
    if (setup->address.way != REDIS_SENTINEL)
        return true;
    if (!find_master(&setup->address, &now, setup->timeout, &unseen, text))
        return false;
    if (!redis_node_is_same(&now, node))
        snprintf(text, LINK_TEXT, "it has just been replaced");
    else if (unseen && link_now() - pool->woke < UNSEEN)
        snprintf(text, LINK_TEXT, "a Sentinel does not see it, and may replace it");
    else
        return true;
    return false;
}

bool watch_look(redis_pool *pool, bool *wrong, char text[LINK_TEXT]) {
    static const char *const never[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR", "TLS:", NULL};
    const redis_setup *setup = &pool->setup;
    redis_node node = pool->node;
    redis_report report;
    bool may_move = setup->address.way == REDIS_SENTINEL, unseen;
    unsigned doubts = atomic_load(&pool->doubts);
    int64_t woke = pool->woke;
    pool->woke = 0;
    *wrong = false;
    if ((!pool->link || may_move) &&
        !find_master(&setup->address, &node, setup->timeout, &unseen, text))
        return false;
    if (!redis_node_is_same(&node, &pool->node))
        watch_drop_link(pool);
    int64_t asked = link_now();
    if (!ask_report(pool, &node, &report)) {
        snprintf(text, LINK_TEXT, "%s", pool->link ? pool->link->text : "no memory");
        *wrong = pool->link && pool_is_refused(pool->link, never);
        return false;
    }
    if (!is_fit(&report, text)) {
        *wrong = report.is_master;
        return false;
    }
    bool is_new = !pool_is_up(pool) || !redis_node_is_same(&node, &pool->node);
    if (is_new) {
        pool->woke = woke && redis_node_is_same(&node, &pool->waking) ? woke : link_now();
        pool->waking = node;
        if (!is_still_master(pool, &node, text))
            return false;
    }
    if (!is_new && pool_was_silent(pool, asked, 0)) {
        snprintf(text, LINK_TEXT, "%s", pool_silent);
        return false;
    }
    note(pool, &report);
    if (!is_new || pool_come_up(pool, &node, doubts))
        return true;
    snprintf(text, LINK_TEXT, "%s", replaced);
    return false;
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
    if (pool->link->state != LINK_LOST && pool_is_no_store(pool->link))
        pool_go_away(pool, pool->link->text);
    watch_drop_link(pool);
    return false;
}

/* One step; returns the milliseconds until the next. */
static int step(redis_pool *pool) {
    char text[LINK_TEXT] = "";
    bool wrong;
    if (!pool_is_up(pool) || !pool->link || link_now() - pool->looked >= LOOK_EVERY) {
        if (!pool_is_up(pool))
            watch_drop_link(pool);
        pool->looked = link_now();
        if (!watch_look(pool, &wrong, text)) {
            atomic_store(&pool->in_doubt, false);
            pool_go_away(pool, text);
            watch_drop_link(pool);
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
    if (pool->link && pool_was_silent(pool, asked, 0))
        pool_doubt(pool, pool_silent);
    return pool->link && pool_is_up(pool) ? settle(pool) : 1;
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

static void take_news(void *context) {
    pool_doubt(context, replaced);
}

bool watch_start(redis_pool *pool) {
    pool->pause = FIRST_PAUSE;
    if (pool->setup.address.way == REDIS_SENTINEL) {
        pool->news = news_start(&pool->setup.address, take_news, pool);
        if (!pool->news)
            return false;
    }
    if (pthread_create(&pool->watcher, NULL, watch, pool) == 0)
        return true;
    news_stop(pool->news);
    return false;
}

void watch_stop(redis_pool *pool) {
    news_stop(pool->news);
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    pthread_join(pool->watcher, NULL);
}
