/* Requests answered without a socket: routes and handlers as http.c calls them. */
#ifndef UNIT_SERVING_H
#define UNIT_SERVING_H

#include "request.h"

/* A problem's body is its document; NULL where there was no memory for it. */
typedef struct {
    bool good;
    int status;
    problem problem; /* where it is not good */
    char *body;      /* to be freed */
    size_t length;
} served;

served serve(service *service, const request *request);

#endif
