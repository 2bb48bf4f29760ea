/* The way to the store: which node is asked, whether it answers, and connections to it that wait to
 * be used again. A thread of its own, the watcher, looks after it: so a call that needs the store
 * while that is away is refused at once. */
#ifndef STORE_REDIS_POOL_H
#define STORE_REDIS_POOL_H

#include "store/redis/address.h"
#include "store/redis/link.h"

/* Called by the watcher, some ten times a second while the store is up, to do something over its
 * link. */
typedef void pool_chore(redis_link *link, void *context);

typedef struct {
    redis_address address;
    int64_t timeout; /* milliseconds for an exchange, and what its bytes take at a slow rate */
    pool_chore *chore;
    void *context; /* of the chore */
} redis_setup;

/* What the watcher knows. */
typedef struct {
    bool up;
    char text[LINK_TEXT];                    /* why it is away */
    int64_t since;                           /* of link_now: it is up, or away */
    uint64_t used, maximum;                  /* bytes of its memory; a maximum of 0 is none */
    int replicas;                            /* connected to it */
    uint64_t connects, losses, moves, swept; /* times that; keys that were looked at */
    double away;                             /* seconds in all */
} redis_health;

typedef struct redis_pool redis_pool;

typedef enum {
    POOL_STARTED,
    POOL_WRONG, /* the store is there, and is none that may be used: `fault` says why */
    POOL_FAILED /* no memory, or no thread */
} pool_start_result;

/* Starts to watch. Where the store does not answer, it may later. */
pool_start_result pool_start(redis_pool **pool, const redis_setup *setup, char fault[LINK_TEXT]);
void pool_stop(redis_pool *pool);

/* A link for an exchange that takes so many bytes of values, its deadline set; NULL where the
 * store is away. *reused: it has waited, and may have ended since. */
redis_link *pool_take(redis_pool *pool, size_t bytes, bool *reused);
/* Whether a link that was taken may be used for another exchange: its deadline is then set anew. */
bool pool_keep(redis_pool *pool, redis_link *link, size_t bytes);
/* Whether to believe what a link has confirmed, for an exchange that began then, with so many
 * bytes. A master that was silent for a while may have been replaced meanwhile, and forget what it
 * takes until it is told so: where Sentinels say who is, they are asked first. */
bool pool_believes(redis_pool *pool, const redis_link *link, int64_t began, size_t bytes);
/* Takes it back, whatever came of it. A state that says so makes the store be away. */
void pool_give(redis_pool *pool, redis_link *link);
/* Closes what waits: the store seems to have ended its connections. */
void pool_forget(redis_pool *pool);

/* Waits a moment where it is in doubt whether the store is up. */
void pool_settle(redis_pool *pool);
void pool_health(redis_pool *pool, redis_health *health);

/* The store has taken so many bytes more. */
void pool_used(redis_pool *pool, int64_t bytes);

#endif
