/* Method and path → handler. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "route.h"

/* Finds the route of a request by everything but its body, and refuses what is already wrong:
 * not_found, method_not_allowed (with `allow`), invalid_query, unsupported_media_type,
 * not_acceptable. The row is set for refused ones, too. */
bool route_find(const request *request, route *route, problem *problem);

/* Whether its path stands in a list, by commas, of those for which no token is needed. */
bool route_is_public(const route *route, const char *paths);

#endif
