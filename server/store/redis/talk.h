/* What is said to the store of one value, over one link. Each returns what came of it; where the
 * link failed, its state goes before that. */
#ifndef STORE_REDIS_TALK_H
#define STORE_REDIS_TALK_H

#include "store/redis/share.h"
#include "store/value.h"

/* In the order of store_outcome_names. */
typedef enum { TALK_OK, TALK_UNKNOWN, TALK_FULL, TALK_AWAY, TALK_BROKEN } talk_outcome;

enum {
    TALK_PIECE = 1048560, /* bytes: the most that the store's allocator gives in one class of 1 MiB,
                             which it does not give back to the system and fault in anew */
};

/* What all talks of a store know. */
typedef struct {
    int64_t lifetime; /* milliseconds that keys live */
    int copies;       /* replicas that must have what is given */
    size_t largest;   /* bytes of a value */
} talk_terms;

/* A value to be put, or what became of one. */
typedef struct {
    const talk_terms *terms;
    redis_share *share;
    owner *owner;
    char handle[HANDLE_TEXT];
    char key[REDIS_KEY];
    value_image image;
    size_t bytes;                /* of memory */
    size_t ahead_from, ahead_to; /* pieces that have gone ahead on the link of the next talk */
    size_t waiting;              /* answers to them that are to come */
} talk_value;

/* In how many pieces the data is; 0: it stands behind the header. */
size_t talk_pieces(const value_image *image);

/* Sends the pieces that are known of a value that is foreseen ahead, until it is enough. */
void talk_ahead(redis_link *link, talk_value *value, const atomic_bool *enough);

/* The next talk is over another link: nothing has gone ahead there. */
void talk_forget_ahead(talk_value *value);

/* Values to be put, all or none. */
typedef struct {
    const talk_terms *terms;
    talk_value **values;
    size_t count;
    bool is_short; /* the store has it, fewer replicas than were asked for have */
    bool is_over;  /* the owner has no more room */
} talk_putting;
talk_outcome talk_put(redis_link *link, void *putting);

/* Takes back what was put, as far as it was. */
talk_outcome talk_undo(redis_link *link, void *putting);

/* A handle that is asked about. */
typedef struct {
    const talk_terms *terms;
    char key[REDIS_KEY];
    const char *owner_name, *handle; /* NULL: not counted */
    size_t pieces;                   /* in which its data is; from fetch, too */
    bool knows_pieces;               /* remove: else they are asked for */
    bool in_passing;                 /* remove: no answer is waited for */
    bool starts_anew;                /* touch: its lifetime, and not only whether it is live */
    bool unconfirmed;                /* by as many replicas */
    layers_tensor file;              /* from fetch */
    store_info info;                 /* from info */
    char text[VALUE_TEXT];           /* of TALK_BROKEN */
} talk_handle;
talk_outcome talk_fetch(redis_link *link, void *handle);
talk_outcome talk_touch(redis_link *link, void *handle);
talk_outcome talk_info(redis_link *link, void *handle);
talk_outcome talk_remove(redis_link *link, void *handle);

/* What an owner keeps. */
typedef struct {
    const owner *owner;
    size_t sum;
} talk_owner;
talk_outcome talk_sum(redis_link *link, void *owner);

/* A note: see store.h. */
typedef struct {
    const talk_terms *terms;
    char key[REDIS_KEY + 128];
    char *note;
    int64_t lifetime;
} talk_note;
talk_outcome talk_note_once(redis_link *link, void *note);

#endif
