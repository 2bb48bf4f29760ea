/* The store in memory: hash tables of handles, in shards with a lock each, so that neither many
 * threads nor many handles make a call wait.
 *
 * All entries live equally long after their last use. So a shard's list in order of use is also its
 * list in order of expiry: what has expired is at its head. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "store/store.h"

enum {
    SHARDS = 64,
    FIRST_BUCKETS = 16,
    SWEEP_MOST = 1000, /* milliseconds between looks at what has expired */
    SWEEP_LEAST = 10,
    OWNER_RETRY = 10, /* seconds */
};

typedef struct {
    uint64_t high, low;
} handle_bits;

typedef struct entry {
    handle_bits handle;
    struct entry *chain;         /* next in its bucket */
    struct entry *older, *newer; /* in order of use */
    store_value value;
    owner *owner; /* NULL for everyone */
    size_t bytes;
    int64_t created; /* milliseconds since 1970 */
    int64_t used;    /* milliseconds of the monotonic clock */
} entry;

typedef struct {
    pthread_mutex_t lock;
    entry **bucket;
    size_t buckets; /* a power of two */
    size_t count;
    entry *oldest, *newest;
    uint64_t given, expired, removed;
} shard;

typedef struct {
    store interface;
    size_t budget;
    int64_t lifetime;
    atomic_size_t bytes; /* kept and reserved */
    atomic_uint_fast64_t refused;
    shard shard[SHARDS];
    pthread_t sweeper;
    pthread_mutex_t lock; /* of `stopping` */
    pthread_cond_t wake;
    bool stopping;
} memory_store;

const size_t store_overhead = sizeof(entry) + sizeof(entry *);

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void write_handle(handle_bits handle, char text[HANDLE_TEXT]) {
    for (int i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[handle.high >> (60 - 4 * i) & 15];
        text[16 + i] = "0123456789abcdef"[handle.low >> (60 - 4 * i) & 15];
    }
    text[HANDLE_TEXT - 1] = '\0';
}

static bool parse_handle(const char *text, handle_bits *handle) {
    uint64_t half[2] = {0, 0};
    if (strlen(text) != HANDLE_TEXT - 1)
        return false;
    for (int i = 0; i < HANDLE_TEXT - 1; i++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, text[i]);
        if (!digit)
            return false;
        half[i / 16] = half[i / 16] << 4 | (uint64_t)(digit - digits);
    }
    *handle = (handle_bits){half[0], half[1]};
    return true;
}

static shard *shard_of(memory_store *store, handle_bits handle) {
    return &store->shard[handle.high % SHARDS];
}

static entry **bucket_of(const shard *shard, handle_bits handle) {
    return &shard->bucket[handle.low & (shard->buckets - 1)];
}

static entry *find(const shard *shard, handle_bits handle) {
    entry *e = *bucket_of(shard, handle);
    while (e && (e->handle.high != handle.high || e->handle.low != handle.low))
        e = e->chain;
    return e;
}

static void unlink_use(shard *shard, entry *e) {
    *(e->older ? &e->older->newer : &shard->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &shard->newest) = e->older;
}

static void link_newest(shard *shard, entry *e) {
    e->older = shard->newest;
    e->newer = NULL;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = e;
    shard->newest = e;
}

/* Takes an entry out of its shard; free_entry is for after the lock. */
static void take_out(shard *shard, entry *e) {
    entry **place = bucket_of(shard, e->handle);
    while (*place != e)
        place = &(*place)->chain;
    *place = e->chain;
    unlink_use(shard, e);
    shard->count--;
}

/* Gives bytes back that were kept or set aside. */
static void give_back(memory_store *store, owner *owner, size_t bytes) {
    atomic_fetch_sub(&store->bytes, bytes);
    if (owner)
        atomic_fetch_sub(&owner->kept, bytes);
}

static void free_entry(memory_store *store, entry *e) {
    store_value_clear(&e->value);
    give_back(store, e->owner, e->bytes);
    free(e);
}

/* Doubles the buckets of a shard that has as many entries. Where there is no memory, chains grow
 * longer, and that is all. */
static void grow(shard *shard) {
    entry **bucket = calloc(2 * shard->buckets, sizeof *bucket);
    if (!bucket)
        return;
    free(shard->bucket);
    shard->bucket = bucket;
    shard->buckets *= 2;
    for (entry *e = shard->oldest; e; e = e->newer) {
        entry **place = bucket_of(shard, e->handle);
        e->chain = *place;
        *place = e;
    }
}

/* Frees what has expired; whether there was any. The clock cuts milliseconds off: only one more
 * than the lifetime is all of it. */
static bool sweep(memory_store *store) {
    int64_t dead = clock_ms(CLOCK_MONOTONIC) - store->lifetime - 1;
    bool any = false;
    for (shard *s = store->shard; s < store->shard + SHARDS; s++) {
        entry *expired = NULL;
        pthread_mutex_lock(&s->lock);
        while (s->oldest && s->oldest->used <= dead) {
            entry *e = s->oldest;
            take_out(s, e);
            s->expired++;
            e->chain = expired;
            expired = e;
            any = true;
        }
        pthread_mutex_unlock(&s->lock);
        while (expired) {
            entry *next = expired->chain;
            free_entry(store, expired);
            expired = next;
        }
    }
    return any;
}

static void *sweep_for_ever(void *argument) {
    memory_store *store = argument;
    int64_t pause = store->lifetime / 8;
    pause = pause > SWEEP_MOST ? SWEEP_MOST : pause < SWEEP_LEAST ? SWEEP_LEAST : pause;
    pthread_mutex_lock(&store->lock);
    while (!store->stopping) {
        int64_t until = clock_ms(CLOCK_MONOTONIC) + pause;
        struct timespec time = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        pthread_cond_timedwait(&store->wake, &store->lock, &time);
        pthread_mutex_unlock(&store->lock);
        sweep(store);
        pthread_mutex_lock(&store->lock);
    }
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

/* Seconds until the first live cache can expire, at least 1. */
static int retry_seconds(memory_store *store) {
    int64_t now = clock_ms(CLOCK_MONOTONIC), first = now + store->lifetime;
    for (shard *s = store->shard; s < store->shard + SHARDS; s++) {
        pthread_mutex_lock(&s->lock);
        if (s->oldest && s->oldest->used + store->lifetime < first)
            first = s->oldest->used + store->lifetime;
        pthread_mutex_unlock(&s->lock);
    }
    return first > now ? (int)((first - now + 999) / 1000) : 1;
}

static bool add_within(atomic_size_t *bytes, size_t more, size_t limit) {
    size_t have = atomic_load(bytes);
    do {
        if (more > limit || have > limit - more)
            return false;
    } while (!atomic_compare_exchange_weak(bytes, &have, have + more));
    return true;
}

static bool try_reserve(memory_store *store, owner *owner, size_t bytes) {
    if (owner && !add_within(&owner->kept, bytes, atomic_load(&owner->limit)))
        return false;
    if (add_within(&store->bytes, bytes, store->budget))
        return true;
    if (owner)
        atomic_fetch_sub(&owner->kept, bytes);
    return false;
}

/* An owner is not told when a handle goes that may be another's. */
static bool memory_reserve(store *interface, size_t bytes, int *retry_after) {
    memory_store *store = interface->self;
    owner *owner = interface->owner;
    if (try_reserve(store, owner, bytes) || (sweep(store) && try_reserve(store, owner, bytes)))
        return true;
    atomic_fetch_add(&store->refused, 1);
    *retry_after = owner ? OWNER_RETRY : retry_seconds(store);
    return false;
}

static void memory_release(store *interface, size_t bytes) {
    give_back(interface->self, interface->owner, bytes);
}

static size_t bytes_of(const store_value *value) {
    return value->cache ? layers_cache_bytes(value->cache) : layers_tensor_memory(&value->tensor);
}

static entry *make_entry(const store_value *value, owner *owner) {
    entry *e = malloc(sizeof *e);
    if (!e || getrandom(&e->handle, sizeof e->handle, 0) != (ssize_t)sizeof e->handle) {
        free(e);
        return NULL;
    }
    e->value = *value;
    e->owner = owner;
    e->bytes = bytes_of(value) + store_overhead;
    return e;
}

static void put_in(memory_store *store, entry *e) {
    e->created = clock_ms(CLOCK_REALTIME);
    e->used = clock_ms(CLOCK_MONOTONIC);
    shard *shard = shard_of(store, e->handle);
    pthread_mutex_lock(&shard->lock);
    if (shard->count == shard->buckets)
        grow(shard);
    entry **place = bucket_of(shard, e->handle);
    e->chain = *place;
    *place = e;
    link_newest(shard, e);
    shard->count++;
    shard->given++;
    pthread_mutex_unlock(&shard->lock);
}

static bool memory_put(store *interface, const store_value *values, size_t count, size_t reserved,
                       char (*handles)[HANDLE_TEXT]) {
    memory_store *store = interface->self;
    entry *made = NULL; /* a chain of all, the last first */
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        entry *e = make_entry(&values[i], interface->owner);
        if (!e) {
            for (entry *next; made; made = next) {
                next = made->chain;
                free(made);
            }
            return false;
        }
        write_handle(e->handle, handles[i]);
        bytes += e->bytes;
        e->chain = made;
        made = e;
    }
    give_back(store, interface->owner, reserved - bytes); /* also where that is below 0 */
    for (entry *next; made; made = next) {
        next = made->chain;
        put_in(store, made);
    }
    return true;
}

/* Locks the shard of a live handle of the owner's and returns its entry; NULL, and nothing locked,
 * for any other handle. */
static entry *lock_live(const store *interface, const char *text, shard **locked) {
    memory_store *store = interface->self;
    handle_bits handle;
    if (!parse_handle(text, &handle))
        return NULL;
    *locked = shard_of(store, handle);
    pthread_mutex_lock(&(*locked)->lock);
    entry *e = find(*locked, handle);
    if (e && e->owner == interface->owner && e->used + store->lifetime >= clock_ms(CLOCK_MONOTONIC))
        return e;
    pthread_mutex_unlock(&(*locked)->lock);
    return NULL;
}

static bool memory_get(store *interface, const char *handle, store_value *value) {
    shard *shard;
    entry *e = lock_live(interface, handle, &shard);
    *value = (store_value){0};
    if (!e)
        return false;
    unlink_use(shard, e);
    link_newest(shard, e);
    e->used = clock_ms(CLOCK_MONOTONIC);
    if (e->value.cache)
        value->cache = layers_cache_ref(e->value.cache);
    else
        value->tensor = layers_tensor_share(&e->value.tensor);
    pthread_mutex_unlock(&shard->lock);
    return true;
}

static bool memory_info(store *interface, const char *handle, store_info *info) {
    memory_store *store = interface->self;
    shard *shard;
    const entry *e = lock_live(interface, handle, &shard);
    if (!e)
        return false;
    int64_t left = e->used + store->lifetime - clock_ms(CLOCK_MONOTONIC);
    const layers_cache *cache = e->value.cache;
    const layers_tensor *tensor = &e->value.tensor;
    *info = (store_info){
        .layer = cache ? layers_cache_layer(cache) : NULL,
        .dtype = cache ? layers_cache_dtype(cache) : tensor->dtype,
        .rank = cache ? 0 : tensor->rank,
        .bytes = e->bytes,
        .created = e->created,
        .expires = clock_ms(CLOCK_REALTIME) + left,
    };
    if (!cache)
        memcpy(info->shape, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape);
    pthread_mutex_unlock(&shard->lock);
    return true;
}

static bool memory_remove(store *interface, const char *handle) {
    memory_store *store = interface->self;
    shard *shard;
    entry *e = lock_live(interface, handle, &shard);
    if (!e)
        return false;
    take_out(shard, e);
    shard->removed++;
    pthread_mutex_unlock(&shard->lock);
    free_entry(store, e);
    return true;
}

static void memory_let_go(store *interface, const char *handle) {
    memory_remove(interface, handle);
}

static void memory_stats(store *interface, store_stats *stats) {
    memory_store *store = interface->self;
    *stats = (store_stats){
        .bytes = atomic_load(&store->bytes),
        .budget = store->budget,
        .refused = atomic_load(&store->refused),
    };
    for (shard *s = store->shard; s < store->shard + SHARDS; s++) {
        pthread_mutex_lock(&s->lock);
        stats->entries += s->count;
        stats->given += s->given;
        stats->expired += s->expired;
        stats->removed += s->removed;
        pthread_mutex_unlock(&s->lock);
    }
}

static bool memory_ready(store *interface) {
    (void)interface;
    return true;
}

static void free_shards(memory_store *store) {
    for (shard *s = store->shard; s < store->shard + SHARDS; s++) {
        for (entry *e = s->oldest, *next; e; e = next) {
            next = e->newer;
            free_entry(store, e);
        }
        free(s->bucket);
        pthread_mutex_destroy(&s->lock);
    }
    free(store);
}

static void memory_close(store *interface) {
    memory_store *store = interface->self;
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->sweeper, NULL);
    free_shards(store);
}

store *store_open_memory(size_t budget, int64_t lifetime) {
    memory_store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    store->interface = (struct store){
        .self = store,
        .reserve = memory_reserve,
        .release = memory_release,
        .put = memory_put,
        .get = memory_get,
        .info = memory_info,
        .remove = memory_remove,
        .let_go = memory_let_go,
        .stats = memory_stats,
        .ready = memory_ready,
        .close = memory_close,
    };
    store->budget = budget;
    store->lifetime = lifetime;
    bool whole = true;
    for (shard *s = store->shard; s < store->shard + SHARDS; s++) {
        pthread_mutex_init(&s->lock, NULL);
        s->buckets = FIRST_BUCKETS;
        s->bucket = calloc(s->buckets, sizeof *s->bucket);
        whole = whole && s->bucket;
    }
    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&store->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (whole && pthread_create(&store->sweeper, NULL, sweep_for_ever, store) == 0)
        return &store->interface;
    free_shards(store);
    return NULL;
}
