/* The documents that a thread has read lately, found by their texts. */
#include "codec/json_recent.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_memory.h"

enum { TEXT_MOST = 4096, PLACES = 16 };

typedef struct {
    json_t *document; /* NULL: none yet */
    size_t length, flags;
    char text[TEXT_MOST];
} place;

typedef struct {
    unsigned next; /* place to be given to another text: the one that has had it for the longest */
    place place[PLACES];
} places;

static pthread_key_t key; /* of a thread's places */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void *of_thread) {
    places *p = of_thread;
    for (int i = 0; p && i < PLACES; i++)
        json_decref(p->place[i].document);
    free(p);
}

static void make_key(void) {
    if (pthread_key_create(&key, forget) != 0)
        abort(); /* of a thousand keys this is the first */
}

/* NULL where there is no memory for them. */
static places *places_here(void) {
    pthread_once(&once, make_key);
    places *p = pthread_getspecific(key);
    if (!p && (p = calloc(1, sizeof *p)) && pthread_setspecific(key, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

/* The place of a text; NULL for none. */
static place *find(places *p, const char *text, size_t length, size_t flags) {
    for (place *at = p->place; at < p->place + PLACES; at++)
        if (at->document && at->length == length && at->flags == flags &&
            !memcmp(at->text, text, length))
            return at;
    return NULL;
}

static json_t *load(const char *text, size_t length, size_t flags, json_error_t *error) {
    bool guarded = json_memory_guard(text, length);
    json_t *document = guarded ? json_loadb(text, length, flags, error) : NULL;
    if (!guarded || json_memory_ran_out()) {
        json_decref(document);
        document = NULL;
        error->text[JSON_ERROR_TEXT_LENGTH - 1] =
            json_error_out_of_memory; /* as json_error_code() */
    }
    json_memory_unguard();
    return document;
}

json_t *json_recent_load(const char *text, size_t length, size_t flags, json_error_t *error) {
    places *p = length <= TEXT_MOST ? places_here() : NULL;
    place *place = p ? find(p, text, length, flags) : NULL;
    if (place)
        return json_incref(place->document);
    json_t *document = load(text, length, flags, error);
    if (!document || !p)
        return document;
    place = &p->place[p->next++ % PLACES];
    json_decref(place->document);
    place->document = json_incref(document);
    place->length = length;
    place->flags = flags;
    memcpy(place->text, text, length);
    return document;
}

void json_recent_forget(void) {
    pthread_once(&once, make_key);
    forget(pthread_getspecific(key));
    pthread_setspecific(key, NULL);
}
