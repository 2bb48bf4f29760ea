/* Copies of values whose promise lies elsewhere: any may be dropped at any time, and the least
 * recently used are, for room. Thread-safe. */
#ifndef STORE_COPIES_H
#define STORE_COPIES_H

#include "store/store.h"

typedef struct copies copies;

/* What is known of a copy, in milliseconds of the monotonic clock. */
typedef struct {
    int64_t confirmed; /* when the store last said that the handle is live */
    int64_t touched;   /* when its lifetime last began anew, by this process */
    size_t pieces;     /* in which its data is, in the store */
} copy_state;

copies *copies_make(size_t budget);
void copies_free(copies *copies);

/* A reference to the copy under a key. False where there is none. */
bool copies_get(copies *copies, const char *key, store_value *value, copy_state *state);

/* Keeps a copy of a value, a reference of its own, that takes so many bytes, where there can be
 * room. */
void copies_put(copies *copies, const char *key, const store_value *value, size_t bytes,
                const copy_state *state);

/* Notes what has become known of a copy, if it is still there. */
void copies_note(copies *copies, const char *key, const copy_state *state);

/* Drops the copy under a key, if there is one. */
void copies_drop(copies *copies, const char *key);

void copies_count(copies *copies, size_t *entries, size_t *bytes);

#endif
