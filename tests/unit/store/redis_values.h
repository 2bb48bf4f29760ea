/* Stores in a Redis, and values for them, made in one line each. Whatever fails in here fails the
 * test. */
#ifndef UNIT_REDIS_VALUES_H
#define UNIT_REDIS_VALUES_H

#include "store/store.h"
#include "unit/calls.h"
#include "unit/store/redis_server.h"

enum { LONG = 600000, BUDGET = 64 << 20 }; /* a lifetime, and room for copies */

/* A store that is ready: a daemon's. It is away after 500 ms, and not ready 300 ms later. */
store *open_with(const redis_server *server, size_t budget, int64_t lifetime);
store *open_store(const redis_server *server);

void pause_ms(long milliseconds);

/* The affine forward of fixed numbers, N rows of 100 features. */
layers_call affine(size_t N);

/* Whether a backward with the cache gives what one with the call's own does. */
bool is_same(const layers_call *forward, layers_cache *cache);

/* Puts the cache of a call under a new handle. */
bool put(store *s, const layers_call *call, char handle[HANDLE_TEXT]);

bool is_live(store *s, const char *handle);

#endif
