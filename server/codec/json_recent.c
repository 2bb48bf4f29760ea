/* The documents that a thread has read lately, found by their texts. */
#include "codec/json_recent.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_memory.h"

enum { TEXT_MOST = 4096, PLACES = 8 };

/* A text has one place, by its length: most operations' texts differ in it. */
typedef struct {
    json_t *document; /* NULL: none yet */
    size_t length, flags;
    char text[TEXT_MOST];
} place;

static pthread_key_t key; /* of a thread's places */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void *places) {
    for (int i = 0; places && i < PLACES; i++)
        json_decref(((place *)places)[i].document);
    free(places);
}

static void make_key(void) {
    if (pthread_key_create(&key, forget) != 0)
        abort(); /* of a thousand keys this is the first */
}

/* NULL where there is no memory for it. */
static place *place_of(size_t length) {
    pthread_once(&once, make_key);
    place *places = pthread_getspecific(key);
    if (!places && (places = calloc(PLACES, sizeof *places)) &&
        pthread_setspecific(key, places) != 0) {
        free(places);
        return NULL;
    }
    return places ? &places[length % PLACES] : NULL;
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
    place *place = length <= TEXT_MOST ? place_of(length) : NULL;
    if (place && place->document && place->length == length && place->flags == flags &&
        !memcmp(place->text, text, length))
        return json_incref(place->document);
    json_t *document = load(text, length, flags, error);
    if (!document || !place)
        return document;
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
