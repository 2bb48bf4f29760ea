/* Values that go ahead to the store while the rest of them is computed: a thread of its own sends
 * what is known, so that who computes does not wait for it. */
#ifndef STORE_REDIS_AHEAD_H
#define STORE_REDIS_AHEAD_H

#include "store/redis/pool.h"
#include "store/redis/talk.h"

typedef struct redis_ahead redis_ahead;

/* NULL where there is no memory or no thread. */
redis_ahead *ahead_make(redis_pool *pool);
/* Nothing may be on its way. */
void ahead_free(redis_ahead *ahead);

/* One value on its way: the caller's. */
typedef struct ahead_sending {
    struct ahead_sending *next;
    talk_value *value;
    redis_link *link;
    int64_t since;
    enum { AHEAD_WAITS, AHEAD_GOES, AHEAD_DONE } state;
    atomic_bool enough; /* what has not gone yet is not to go */
} ahead_sending;

/* Begins to send a value whose image is foreseen. */
void ahead_begin(redis_ahead *ahead, ahead_sending *sending, talk_value *value);

/* Ends that: the link over which the rest is to go, or NULL where nothing has gone ahead. */
redis_link *ahead_end(redis_ahead *ahead, ahead_sending *sending);

#endif
