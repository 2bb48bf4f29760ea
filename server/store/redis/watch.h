/* Who looks after the store, in a thread of its own: finds the master, holds it to what a store
 * must be, and goes over its keys. */
#ifndef STORE_REDIS_WATCH_H
#define STORE_REDIS_WATCH_H

#include "store/redis/pool.h"

/* Looks at the store over the watcher's link, which it opens. *wrong: it is there, and is none that
 * may be used. By the watcher, and before it. */
bool watch_look(redis_pool *pool, bool *wrong, char text[LINK_TEXT]);
void watch_drop_link(redis_pool *pool);
/* Starts the watcher, and who listens to Sentinels. False where there is no memory or no thread. */
bool watch_start(redis_pool *pool);
void watch_stop(redis_pool *pool);

#endif
