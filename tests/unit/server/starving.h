/* Requests of which each allocation fails in turn: a clean answer, nothing leaked, and everything
 * as usable as before. Whatever fails in here fails the test. */
#ifndef UNIT_STARVING_H
#define UNIT_STARVING_H

#include "unit/server/serving.h"

enum { STARVING_BUDGET = 1 << 20 }; /* of a store that has room */

#define BYTES_TYPE "application/vnd.safetensors"

/* What stands in a request in the place of a handle that it will have. */
extern const char no_handle[HANDLE_TEXT];

/* The forms of a request and its answer. */
typedef enum { NESTED, FLAT, TO_BYTES, FROM_BYTES, STYLES } style;

/* Asks for that in the head; the body is the caller's to write. */
void starving_style(sent *sent, style style);

/* A service whose store has that budget; serving_stop ends it. */
void starving_start(service *service, size_t budget);

/* A request, run as often as it has allocations. `giver` runs before it and gives `handle`, which
 * stands in its body or path. */
typedef struct {
    service *service;
    const char *about;
    sent sent;
    const sent *giver;
    char *handle;  /* HANDLE_TEXT bytes within the request's texts; NULL for none */
    char *second;  /* where it stands again, or NULL */
    served wanted; /* the answer where nothing fails */
} starving;

/* Runs the request once, for an answer of that status, and then with each of its allocations
 * failing. */
void starve(starving *s, int status);

#endif
