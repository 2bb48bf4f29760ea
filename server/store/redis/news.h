/* What Sentinels say unasked: that one of them takes the master for dead, begins to replace it, or
 * has done so. Who asks them once a second learns it too late: between the first word of a failover
 * and the moment from which a healthy master takes what will be forgotten lies a fifth of a second.
 */
#ifndef STORE_REDIS_NEWS_H
#define STORE_REDIS_NEWS_H

#include "store/redis/address.h"

typedef struct news news;

/* Listens to each Sentinel of the address, which stays there, in a thread of its own; a connection
 * that ends is made anew. `told` is called in these threads, for this master alone. NULL where
 * there is no memory, or no thread. */
news *news_start(const redis_address *address, void (*told)(void *context), void *context);
void news_stop(news *news);

#endif
