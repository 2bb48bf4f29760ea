/* Requests answered without a socket: routes and handlers as http/exchange.c calls them. */
#ifndef UNIT_SERVING_H
#define UNIT_SERVING_H

#include "request.h"

typedef struct {
    request head; /* all but the body and what that adds */
    const void *body;
    size_t length;
} sent;

/* A problem's body is its document; NULL where there was no memory for it. */
typedef struct {
    bool good;
    int status;
    problem problem;          /* where it is not good */
    const char *content_type; /* of what is good */
    char *body;               /* to be freed */
    size_t length;
} served;

/* A service with a store of that budget and one worker. False where it cannot be had. */
bool serving_start(service *s, const options *options, size_t cache_budget);
void serving_stop(service *s);

served serve(service *service, const sent *sent);

#endif
