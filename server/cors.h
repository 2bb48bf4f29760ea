/* What lets pages of other origins call (the Fetch standard's CORS protocol). `origins` is the
 * value of --cors-origin: origins by commas, "*" for any, "" for none. */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include <stdbool.h>
#include <stddef.h>

enum { CORS_HEADERS = 6 }; /* of one answer, at most */

typedef struct {
    const char *name, *value;
} cors_header;

/* Whether a text can be a value of the option. */
bool cors_is_right(const char *origins);

/* Whether a request's Origin is allowed; NULL for none is not. */
bool cors_allows(const char *origins, const char *origin);

/* The headers of an answer; returns how many. `methods` are those of the path, where the answer is
 * to a browser's question for them, else NULL. Good as long as the arguments. */
size_t cors_headers(const char *origins, const char *origin, const char *methods,
                    cors_header headers[CORS_HEADERS]);

#endif
