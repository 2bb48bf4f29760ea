/* The store: handles, and the caches and tensors that they stand for. One interface, one file a
 * store.
 *
 * A handle that was given is honoured until it expires or is removed: a store never drops a live
 * one to make room, it refuses. All functions may be called from any thread. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <stdint.h>

#include "base/owner.h"
#include "layers/operation.h"

enum { HANDLE_TEXT = 33 }; /* 128 random bits in hexadecimal, and a terminator */

/* What a handle stands for: a cache, or where that is NULL a tensor. */
typedef struct {
    layers_cache *cache;
    layers_tensor tensor;
} store_value;

void store_value_clear(store_value *value);

typedef struct {
    const char *layer; /* NULL for a tensor */
    layers_dtype dtype;
    int rank; /* of a tensor, and its shape */
    size_t shape[LAYERS_MAX_RANK];
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

/* As its owner sees it: what is another's is not there. */
struct store {
    void *self;   /* the store's own */
    owner *owner; /* NULL: everyone's, where nobody is told from anybody */
    /* Sets `bytes` of the budget, and of what the owner may have of it, aside for what is to come.
     * False where they are not to be had; then *retry_after is the number of seconds after which
     * they may be. */
    bool (*reserve)(store *store, size_t bytes, int *retry_after);
    /* Gives back what was reserved and not used. */
    void (*release)(store *store, size_t bytes);
    /* Keeps values for which `reserved` bytes were set aside in all, takes over the references, and
     * writes a handle for each. False where that is not possible; then none is kept, and the
     * references and the reservation are still the caller's. */
    bool (*put)(store *store, const store_value *values, size_t count, size_t reserved,
                char (*handles)[HANDLE_TEXT]);
    /* A reference to what a handle stands for, whose lifetime starts anew. False for one that is
     * unknown, expired or removed. `handle` may be any text. */
    bool (*get)(store *store, const char *handle, store_value *value);
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

/* The same store, as another sees it. */
store store_for(const store *store, owner *owner);

/* What a handle costs beside the memory of its value: reserve layers_call.cache_bytes and this. */
extern const size_t store_overhead;

/* A store in this process's memory. `lifetime` is in milliseconds without use; what has expired
 * is freed by a thread of the store's own, whether or not there are requests. NULL where there is
 * no memory or no thread. */
store *store_open_memory(size_t budget, int64_t lifetime);

#endif
