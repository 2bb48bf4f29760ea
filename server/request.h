/* A request and its reply, as handlers see them: no HTTP library behind. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdatomic.h>

#include "cache/store.h"
#include "options.h"
#include "problem.h"

/* What all requests share. */
typedef struct {
    const options *options;
    store *store;
    layers_pool *pool;    /* shares the work of large calls */
    atomic_bool draining; /* the process is about to stop */
} service;

enum { QUERY_MOST = 8 };

typedef struct {
    const char *key, *value; /* value is NULL for a key without '=' */
} query_pair;

/* Text of the request itself; alive until its reply is done. */
typedef struct {
    const char *method, *path;
    query_pair query[QUERY_MOST];
    size_t query_count;
    const char *content_type, *accept; /* NULL where the header is absent */
    layers_tensor body; /* LAYERS_U8, all of it; a cache may share it beyond the reply */
    size_t body_length; /* bytes that have come so far */
} request;

typedef struct {
    int status;
    const char *content_type; /* static; NULL for no body */
    char *body;               /* malloc'd; the receiver frees it */
    size_t body_length;
    double read_ms, compute_ms, write_ms;
} reply;

#endif
