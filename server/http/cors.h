/* What lets pages of other origins call (the Fetch standard's CORS protocol). `origins` is the
 * value of --cors-origin: origins by commas, "*" for any, "" for none. */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include "http/header.h"
#include "route.h"

/* Whether a text can be a value of the option. */
bool cors_is_right(const char *origins);

/* Whether a request is of a page that may not call: of an origin that is neither allowed nor the
 * one that `host`, the request's own Host, names; or, as its `site` (Sec-Fetch-Site) says, of
 * another site. Each may be NULL where there is no such header. A browser sends a page's request
 * first, and only then keeps its answer from the page: what a call leaves here would stay. */
bool cors_is_foreign(const char *origins, const char *origin, const char *site, const char *host);

/* Adds the headers of an answer: where the request is a preflight, what the route's path allows. */
void cors_add(header_list *list, const char *origins, const request *request, const route *route);

#endif
