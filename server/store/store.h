/* The cache store: handles, and what they stand for. One interface, one file a store.
 *
 * A handle that was given is honoured until it expires or is removed: a store never drops a live
 * one to make room, it refuses. All functions may be called from any thread. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <stdint.h>

#include "layers/operation.h"

enum { HANDLE_TEXT = 33 }; /* 128 random bits in hexadecimal, and a terminator */

typedef struct {
    const char *layer;
    layers_dtype dtype;
    size_t bytes;
    int64_t created, expires; /* milliseconds since 1970 */
} store_info;

/* What a store holds, and what became of the handles that were given. */
typedef struct {
    size_t entries, bytes, budget; /* bytes: those set aside counted */
    uint64_t given, expired, removed;
    uint64_t refused; /* bytes that were not to be had, times */
} store_stats;

typedef struct store store;

struct store {
    /* Sets `bytes` of the budget aside for a cache to come. False where they are not to be had;
     * then *retry_after is the number of seconds after which they may be. */
    bool (*reserve)(store *store, size_t bytes, int *retry_after);
    /* Gives back what was reserved and not used. */
    void (*release)(store *store, size_t bytes);
    /* Keeps a cache for which `reserved` bytes were set aside, takes over the reference, and writes
     * its handle. False where that is not possible; the reference and the reservation are then
     * still the caller's. */
    bool (*put)(store *store, layers_cache *cache, size_t reserved, char handle[HANDLE_TEXT]);
    /* A reference to the cache of a handle, which starts its lifetime anew; NULL for one that is
     * unknown, expired or removed. `handle` may be any text. */
    layers_cache *(*get)(store *store, const char *handle);
    /* What is known of a handle, which does not start its lifetime anew. False as above. */
    bool (*info)(store *store, const char *handle, store_info *info);
    /* Removes a handle. False as above. */
    bool (*remove)(store *store, const char *handle);
    void (*stats)(store *store, store_stats *stats);
    /* Whether the store can do its work. */
    bool (*ready)(store *store);
    /* Frees the store and everything in it. */
    void (*close)(store *store);
};

/* What a handle costs beside its cache: reserve layers_call.cache_bytes and this. */
extern const size_t store_overhead;

/* A store in this process's memory. `lifetime` is in milliseconds without use; expired caches are
 * freed by a thread of the store's own, whether or not there are requests. NULL where there is no
 * memory or no thread. */
store *store_open_memory(size_t budget, int64_t lifetime);

#endif
