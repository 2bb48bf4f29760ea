/* Method and path → handler. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "form.h"
#include "request.h"

typedef struct route route;

/* Answers a request whose body is there. False with a problem. */
typedef bool handler(service *service, const route *route, const request *request, reply *reply,
                     problem *problem);

struct route {
    handler *handle;
    const layers_operation *operation; /* of POST /<layer>/<operation> */
    const form *request_form, *answer_form;
    const char *rest; /* what the path has behind a prefix: the handle */
};

/* Finds the route of a request by everything but its body, and refuses what is already wrong:
 * not_found, method_not_allowed (with `allow`), invalid_query, unsupported_media_type,
 * not_acceptable. */
bool route_find(const request *request, route *route, problem *problem);

#endif
