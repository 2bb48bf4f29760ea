/* What lets pages of other origins call (the Fetch standard's CORS protocol). `origins` is the
 * value of --cors-origin: origins by commas, "*" for any, "" for none. */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include "http/header.h"

/* Whether a text can be a value of the option. */
bool cors_is_right(const char *origins);

/* Whether a request's Origin is allowed; NULL for none is not. */
bool cors_allows(const char *origins, const char *origin);

/* Adds the headers of an answer. `methods` are those of the path, where the answer is to a
 * browser's question for them, else NULL. */
void cors_add(header_list *list, const char *origins, const char *origin, const char *methods);

#endif
