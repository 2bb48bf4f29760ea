/* What tenants keep in the store, counted there: a hash a tenant, of bytes by handle, and their sum
 * under "sum". Only of tenants that may not keep as much as they like. */
#ifndef STORE_REDIS_SHARE_H
#define STORE_REDIS_SHARE_H

#include "base/owner.h"
#include "store/redis/link.h"

enum { SHARE_KEY = 96, REDIS_KEY = 192 };

typedef struct redis_share redis_share;

redis_share *share_make(void);
void share_free(redis_share *share);

/* Whether an owner's bytes are counted; NULL's are not. */
bool share_is_counted(const owner *owner);

/* The key of a handle: its tenant is a part of it. */
void share_handle_key(char key[REDIS_KEY], const char *owner_name, const char *handle);

/* Asks what the owner keeps; the answer is the first of these functions' next. */
bool share_ask_sum(redis_link *link, const owner *owner);
bool share_sum(redis_link *link, size_t *sum);

/* Counts a handle; two answers, of which the second is the new sum. */
bool share_ask_add(redis_share *share, redis_link *link, const owner *owner, const char *handle,
                   size_t bytes);
bool share_added(redis_link *link, int64_t *sum);

/* Counts a handle no more, all in one exchange. */
bool share_subtract(redis_link *link, const char *owner_name, const char *handle);

/* The watcher's: looks at some handles of one tenant, and counts no more those that have expired.
 */
void share_chore(redis_link *link, void *share);

#endif
