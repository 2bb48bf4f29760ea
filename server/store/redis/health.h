/* The inside of a pool, and whether its store is up: for pool.c, who serves calls, and watch.c, who
 * looks after the store. */
#ifndef STORE_REDIS_HEALTH_H
#define STORE_REDIS_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/redis/find.h"
#include "store/redis/news.h"
#include "store/redis/pool.h"

enum {
    POOL_SILENCE =
        500, /* beside the time of the bytes: Sentinels replace who is silent for longer */
    POOL_RATE = 16384, /* bytes a millisecond that values take at the worst */
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
    atomic_uint doubts;   /* times that */
    news *news;           /* of Sentinels */
    pthread_t watcher;
    redis_link *link; /* the watcher's own, as all below */
    char cursor[24];  /* of SCAN */
    int pause;
    int64_t looked;
    redis_node waking; /* one that answers, and is not asked yet */
    int64_t woke;      /* since when it does; 0: there is none */
};

/* Why it is in doubt. */
extern const char pool_silent[];

/* Each of these may be called by any thread. */
void pool_go_away(redis_pool *pool, const char *why);
/* The store answers, at this node. False where that is in doubt again, as not when it was asked. */
bool pool_come_up(redis_pool *pool, const redis_node *node, unsigned doubts);
/* It has to be asked for anew whether the node is the one to be asked. */
void pool_doubt(redis_pool *pool, const char *why);
bool pool_is_up(const redis_pool *pool);
/* Whether what began then took so long that a Sentinel may have taken the node for dead. */
bool pool_was_silent(const redis_pool *pool, int64_t began, size_t bytes);
/* Whether a link was refused by an error that begins with one of these words, ended by NULL. */
bool pool_is_refused(const redis_link *link, const char *const *words);
/* Whether this node is not to be asked, whatever it is asked. */
bool pool_is_no_store(const redis_link *link);

#endif
