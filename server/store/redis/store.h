/* What the files of the store in a Redis share. */
#ifndef STORE_REDIS_STORE_H
#define STORE_REDIS_STORE_H

#include <pthread.h>

#include "store/copies.h"
#include "store/redis/ahead.h"

enum { HANDLE_DIGITS = HANDLE_TEXT - 1 };

/* In the order of store_command_names. */
typedef enum { PUT, FETCH, TOUCH, INFO, REMOVE, NOTE } redis_command;

typedef struct {
    store interface;
    store_redis_setup setup;
    redis_tls *tls; /* NULL where the address is of none */
    redis_pool *pool;
    redis_ahead *ahead;
    copies *copies;
    redis_share *share;
    talk_terms terms;
    atomic_uint_fast64_t given, removed, refused;
    atomic_int_fast64_t short_until, complained; /* of link_now */
    pthread_mutex_t lock;
    store_link told; /* what was counted; under the lock */
} redis_store;

typedef talk_outcome redis_talk(redis_link *link, void *context);

/* Talks to the store over a link of the pool; again where one that had waited turned out to have
 * ended. `bytes` of values go either way, as far as that is known. */
talk_outcome redis_exchange(redis_store *s, redis_command command, size_t bytes, redis_talk *talk,
                            void *context);

/* The same over a link that is held, which goes back to the pool; NULL: one of the pool. */
talk_outcome redis_exchange_over(redis_store *s, redis_link *link, redis_command command,
                                 size_t bytes, redis_talk *talk, void *context);

/* False, and why. */
bool redis_say_no(store *view, store_fault fault);
/* Whether the caller of a function may wait for it. */
bool redis_may_wait(store *view);
/* Whether a talk went well; else why not. */
bool redis_tell(store *view, talk_outcome outcome);

/* Functions of the store, in put.c. */
bool redis_reserve(store *view, size_t bytes, int *retry_after);
void redis_begin(store *view, const layers_call *call);
void redis_release(store *view, size_t bytes);
bool redis_put(store *view, const store_value *values, size_t count, size_t reserved,
               char (*handles)[HANDLE_TEXT]);

#endif
