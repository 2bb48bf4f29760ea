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
    size_t row;                        /* among all routes */
    const layers_operation *operation; /* of POST /<layer>/<operation> */
    const form *request_form, *answer_form;
    const char *rest;  /* what the path has behind a prefix: the handle */
    const char *allow; /* the path's methods, where a browser asks for them */
};

/* How a route is told in the metrics. */
typedef struct {
    const char *layer; /* "" where it is not of an operation */
    const char *name;  /* so many characters: an operation's, a path's without slashes, "other" */
    int length;
} route_label;

/* Rows of routes: 0 is for every path at which there is nothing. */
size_t route_count(void);
route_label route_label_of(size_t row);

/* Finds the route of a request by everything but its body, and refuses what is already wrong:
 * not_found, method_not_allowed (with `allow`), invalid_query, unsupported_media_type,
 * not_acceptable. The row is set for refused ones, too. */
bool route_find(const request *request, route *route, problem *problem);

#endif
