/* The challenges that were answered: a hash table, for finding one, and a heap with the first to
 * expire at its top, so that what has expired is taken out at once and nothing else is looked at.
 * Memory is asked for at the start, and touched as it is needed. */
#include "access/spent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* An entry's number; 0 is none. */
typedef uint32_t number;

typedef struct {
    unsigned char id[CHALLENGE_ID];
    unsigned char answer[CHALLENGE_ID]; /* the first half of its digest */
    int64_t expires;
    number chain; /* next in its slot, or of the free ones */
} entry;

struct spent {
    pthread_mutex_t lock;
    int64_t now; /* the latest that was told */
    size_t most, count;
    entry *entries; /* from 1 */
    number touched; /* entries that were ever used */
    number free;    /* the first of these that is not now */
    number *slot;   /* the first entry of each */
    size_t slots;   /* a power of two */
    number *heap;   /* from 1: no entry expires before the one at half its place */
};

spent *spent_make(size_t most) {
    spent *spent = calloc(1, sizeof *spent);
    if (!spent)
        return NULL;
    spent->most = most;
    for (spent->slots = 16; spent->slots < most;)
        spent->slots *= 2;
    spent->entries = calloc(most + 1, sizeof *spent->entries);
    spent->heap = calloc(most + 1, sizeof *spent->heap);
    spent->slot = calloc(spent->slots, sizeof *spent->slot);
    pthread_mutex_init(&spent->lock, NULL);
    if (spent->entries && spent->heap && spent->slot)
        return spent;
    spent_free(spent);
    return NULL;
}

void spent_free(spent *spent) {
    if (!spent)
        return;
    pthread_mutex_destroy(&spent->lock);
    free(spent->entries);
    free(spent->heap);
    free(spent->slot);
    free(spent);
}

/* An id is random: its bits need no mixing. */
static number *slot_of(spent *spent, const unsigned char *id) {
    uint64_t bits;
    memcpy(&bits, id, sizeof bits);
    return &spent->slot[bits & (spent->slots - 1)];
}

static int64_t expiry(const spent *spent, size_t place) {
    return spent->entries[spent->heap[place]].expires;
}

/* Puts an entry into the heap: those above it that expire later step down. */
static void rise(spent *spent, number n) {
    size_t place = ++spent->count;
    for (; place > 1 && expiry(spent, place / 2) > spent->entries[n].expires; place /= 2)
        spent->heap[place] = spent->heap[place / 2];
    spent->heap[place] = n;
}

/* Takes the top out: the last one sinks from its place. */
static void sink(spent *spent) {
    number last = spent->heap[spent->count--];
    size_t place = 1;
    for (size_t below; (below = 2 * place) <= spent->count; place = below) {
        below += below < spent->count && expiry(spent, below + 1) < expiry(spent, below);
        if (expiry(spent, below) >= spent->entries[last].expires)
            break;
        spent->heap[place] = spent->heap[below];
    }
    spent->heap[place] = last;
}

static void forget_first(spent *spent) {
    number n = spent->heap[1], *place = slot_of(spent, spent->entries[n].id);
    while (*place != n)
        place = &spent->entries[*place].chain;
    *place = spent->entries[n].chain;
    sink(spent);
    spent->entries[n].chain = spent->free;
    spent->free = n;
}

static void add(spent *spent, const unsigned char *id, const unsigned char *answer,
                int64_t expires) {
    number n = spent->free, *slot = slot_of(spent, id);
    if (n)
        spent->free = spent->entries[n].chain;
    else
        n = ++spent->touched;
    entry *entry = &spent->entries[n];
    memcpy(entry->id, id, sizeof entry->id);
    memcpy(entry->answer, answer, sizeof entry->answer);
    entry->expires = expires;
    entry->chain = *slot;
    *slot = n;
    rise(spent, n);
}

static const entry *find(spent *spent, const unsigned char *id) {
    number n = *slot_of(spent, id);
    while (n && memcmp(spent->entries[n].id, id, CHALLENGE_ID) != 0)
        n = spent->entries[n].chain;
    return n ? &spent->entries[n] : NULL;
}

/* Whoever was told the time before another took out what has expired since would find a challenge
 * unspent that is not: so the latest time counts for him, too. */
static spent_result use(spent *spent, const unsigned char *id, const unsigned char *answer,
                        int64_t expires, int64_t *free_at) {
    while (spent->count > 0 && expiry(spent, 1) <= spent->now)
        forget_first(spent);
    if (expires <= spent->now)
        return SPENT_EXPIRED;
    const entry *entry = find(spent, id);
    if (entry)
        return memcmp(entry->answer, answer, sizeof entry->answer) ? SPENT_OTHERWISE : SPENT_BEFORE;
    if (spent->count == spent->most) {
        *free_at = expiry(spent, 1);
        return SPENT_FULL;
    }
    add(spent, id, answer, expires);
    return SPENT_NOW;
}

spent_result spent_use(spent *spent, const unsigned char id[CHALLENGE_ID],
                       const unsigned char answer[SHA256_BYTES], int64_t now, int64_t expires,
                       int64_t *free_at) {
    pthread_mutex_lock(&spent->lock);
    spent->now = now > spent->now ? now : spent->now;
    spent_result result = use(spent, id, answer, expires, free_at);
    pthread_mutex_unlock(&spent->lock);
    return result;
}
