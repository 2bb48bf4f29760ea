/* Copies of values whose promise lies elsewhere. */
#include "store/copies.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

typedef struct entry {
    struct entry *chain;
    struct entry *older, *newer; /* in order of use */
    store_value value;
    copy_state state;
    size_t bytes;
    uint64_t hash;
    char key[];
} entry;

struct copies {
    pthread_mutex_t lock;
    size_t budget;
    entry **bucket; /* under the lock, as all below */
    size_t buckets; /* a power of two */
    size_t count, bytes;
    entry *oldest, *newest;
};

/* FNV-1a. Keys end in random digits: nobody chooses what falls together. */
static uint64_t hash_of(const char *key) {
    uint64_t hash = 0xcbf29ce484222325;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3;
    return hash;
}

copies *copies_make(size_t budget) {
    copies *c = calloc(1, sizeof *c);
    if (!c || !(c->bucket = calloc(FIRST_BUCKETS, sizeof *c->bucket))) {
        free(c);
        return NULL;
    }
    c->buckets = FIRST_BUCKETS;
    c->budget = budget;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static entry **place_of(copies *c, const char *key, uint64_t hash) {
    entry **place = &c->bucket[hash & (c->buckets - 1)];
    while (*place && ((*place)->hash != hash || strcmp((*place)->key, key) != 0))
        place = &(*place)->chain;
    return place;
}

static void unlink_use(copies *c, entry *e) {
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
}

static void link_newest(copies *c, entry *e) {
    e->older = c->newest;
    e->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

/* Takes the entry at a place out, onto a list of those to be freed once the lock is open. */
static void take_out(copies *c, entry **place, entry **gone) {
    entry *e = *place;
    *place = e->chain;
    unlink_use(c, e);
    c->count--;
    c->bytes -= e->bytes;
    e->chain = *gone;
    *gone = e;
}

static void free_all(entry *gone) {
    while (gone) {
        entry *next = gone->chain;
        store_value_clear(&gone->value);
        free(gone);
        gone = next;
    }
}

static void grow(copies *c) {
    entry **bucket = calloc(2 * c->buckets, sizeof *bucket);
    if (!bucket)
        return;
    free(c->bucket);
    c->bucket = bucket;
    c->buckets *= 2;
    for (entry *e = c->oldest; e; e = e->newer) {
        entry **place = &bucket[e->hash & (c->buckets - 1)];
        e->chain = *place;
        *place = e;
    }
}

void copies_free(copies *c) {
    if (!c)
        return;
    entry *gone = NULL;
    while (c->oldest)
        take_out(c, place_of(c, c->oldest->key, c->oldest->hash), &gone);
    free_all(gone);
    pthread_mutex_destroy(&c->lock);
    free(c->bucket);
    free(c);
}

bool copies_get(copies *c, const char *key, store_value *value, copy_state *state) {
    uint64_t hash = hash_of(key);
    pthread_mutex_lock(&c->lock);
    entry *e = *place_of(c, key, hash);
    *value = (store_value){0};
    if (e) {
        unlink_use(c, e);
        link_newest(c, e);
        *state = e->state;
        if (e->value.cache)
            value->cache = layers_cache_ref(e->value.cache);
        else
            value->tensor = layers_tensor_share(&e->value.tensor);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

void copies_put(copies *c, const char *key, const store_value *value, size_t bytes,
                const copy_state *state) {
    size_t length = strlen(key) + 1;
    entry *e = bytes <= c->budget ? malloc(sizeof *e + length) : NULL, *gone = NULL;
    if (!e)
        return;
    *e = (entry){.state = *state, .bytes = bytes, .hash = hash_of(key)};
    memcpy(e->key, key, length);
    if (value->cache)
        e->value.cache = layers_cache_ref(value->cache);
    else
        e->value.tensor = layers_tensor_share(&value->tensor);
    pthread_mutex_lock(&c->lock);
    entry **place = place_of(c, key, e->hash);
    if (*place)
        take_out(c, place, &gone);
    while (c->bytes > c->budget - bytes)
        take_out(c, place_of(c, c->oldest->key, c->oldest->hash), &gone);
    if (c->count == c->buckets)
        grow(c);
    place = &c->bucket[e->hash & (c->buckets - 1)];
    e->chain = *place;
    *place = e;
    link_newest(c, e);
    c->count++;
    c->bytes += bytes;
    pthread_mutex_unlock(&c->lock);
    free_all(gone);
}

void copies_note(copies *c, const char *key, const copy_state *state) {
    uint64_t hash = hash_of(key);
    pthread_mutex_lock(&c->lock);
    entry *e = *place_of(c, key, hash);
    if (e)
        e->state = *state;
    pthread_mutex_unlock(&c->lock);
}

void copies_drop(copies *c, const char *key) {
    uint64_t hash = hash_of(key);
    entry *gone = NULL;
    pthread_mutex_lock(&c->lock);
    entry **place = place_of(c, key, hash);
    if (*place)
        take_out(c, place, &gone);
    pthread_mutex_unlock(&c->lock);
    free_all(gone);
}

void copies_count(copies *c, size_t *entries, size_t *bytes) {
    pthread_mutex_lock(&c->lock);
    *entries = c->count;
    *bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
}
