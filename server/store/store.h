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

enum {
    HANDLE_TEXT = 33, /* 128 random bits in hexadecimal, and a terminator */
    STORE_NOTE = 128, /* bytes of a note, with a terminator */
};

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

/* What is told of a store that is elsewhere. */
enum { STORE_COMMANDS = 6, STORE_OUTCOMES = 5, STORE_SECONDS = 8 };
extern const char *const store_command_names[STORE_COMMANDS];
extern const char *const store_outcome_names[STORE_OUTCOMES];
extern const double store_seconds[STORE_SECONDS]; /* bounds of the histograms, the last infinite */

typedef struct {
    bool up;
    double away; /* seconds in all */
    uint64_t exchanges[STORE_COMMANDS][STORE_OUTCOMES];
    uint64_t seconds[STORE_COMMANDS][STORE_SECONDS]; /* how many took so long; not added up */
    double sum[STORE_COMMANDS];                      /* seconds */
    uint64_t sent, taken;                            /* bytes of values */
    uint64_t hits, misses;                           /* of local copies */
    uint64_t unconfirmed;                            /* by as many replicas as were asked for */
    uint64_t connects, losses, moves, swept;
    uint64_t used, maximum; /* the store's memory; a maximum of 0 is none */
} store_link;

/* What a store holds, and what became of the handles that were given. */
typedef struct {
    size_t entries, bytes, budget; /* bytes: those set aside counted */
    uint64_t given, expired, removed;
    uint64_t refused; /* bytes that were not to be had, times */
    bool
        is_elsewhere; /* what it holds is not in this process, but for copies: `entries`, `bytes` */
    store_link link;
} store_stats;

/* Why a function of a store said no, where that is not what its comment says. */
typedef enum {
    STORE_AS_SAID,
    STORE_FULL,   /* it turned out that there is no room */
    STORE_AWAY,   /* the store could not be asked, or did not answer in time */
    STORE_BROKEN, /* what it holds for the handle is no value of this version's */
    STORE_LATER,  /* it would take long, and who asks is in a hurry */
} store_fault;

typedef struct store store;

/* As its owner sees it: what is another's is not there. */
struct store {
    void *self;   /* the store's own */
    owner *owner; /* NULL: everyone's, where nobody is told from anybody */
    bool waits;   /* its functions, but release, stats and ready, may wait for another machine */
    bool hurried; /* of a view: they may not, and say no with STORE_LATER instead */
    store_fault fault; /* of a view: of the last function that said no */
    void *begun;       /* of a view: what `begin` has begun, the store's own */
    /* Sets `bytes` of the budget, and of what the owner may have of it, aside for what is to come.
     * False where they are not to be had; then *retry_after is the number of seconds after which
     * they may be. */
    bool (*reserve)(store *store, size_t bytes, int *retry_after);
    /* Begins to keep the cache that a prepared call will give, for which bytes were set aside: what
     * is known of it goes ahead while the rest is computed. The next function of the view is put,
     * of that cache alone, or release. NULL: nothing would be gained. */
    void (*begin)(store *store, const layers_call *call);
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
    /* The same for who need not know whether it is removed for good, even after a failover. */
    void (*let_go)(store *store, const char *handle);
    /* Notes a text under a name for so many milliseconds, for all daemons of the store; *note is
     * then the first that was noted, whoever did. False where that is not known. NULL: the store is
     * this process's own, and keeps no notes. */
    bool (*note_once)(store *store, const char *name, char note[STORE_NOTE], int64_t lifetime);
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

/* A store in a Redis or Valkey, which any number of daemons may share. */
typedef struct {
    const char *address;  /* as redis_address_read takes it */
    const char *password; /* goes before the address's; "" for none */
    size_t budget;        /* bytes of copies that are kept here */
    int64_t lifetime;     /* milliseconds without use */
    int copies;           /* replicas of the store's that must have what is given */
    int64_t timeout;      /* milliseconds that an exchange may take, beside its bytes */
    int64_t grace;        /* that the store may be away before this one is not ready */
    size_t largest;       /* bytes of a value */
} store_redis_setup;

/* Where the store does not answer, it may later. NULL where it is none that may be used, which the
 * log then says, and where there is no memory or no thread. */
store *store_open_redis(const store_redis_setup *setup);

/* A store in this process's memory. `lifetime` is in milliseconds without use; what has expired
 * is freed by a thread of the store's own, whether or not there are requests. NULL where there is
 * no memory or no thread. */
store *store_open_memory(size_t budget, int64_t lifetime);

#endif
