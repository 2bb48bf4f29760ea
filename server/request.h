/* A request and its reply, as handlers see them: no HTTP library behind. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdatomic.h>

#include "access/challenges.h"
#include "access/tokens.h"
#include "base/budget.h"
#include "base/problem.h"
#include "base/workers.h"
#include "options.h"
#include "store/store.h"

/* What all requests share. */
typedef struct {
    const options *options;
    store *store;
    workers *workers; /* compute what is dear */
    workers *askers;  /* wait for a store that is elsewhere; NULL where none is */
    tokens *tokens;   /* of those who may call; NULL where everyone may */
    challenges *challenges;
    budget memory; /* of all requests in flight */
    struct metrics *metrics;
    atomic_bool stopping; /* the process is about to stop: each answer is its connection's last */
    atomic_bool draining; /* and takes no new work */
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
    const char *content_type, *accept, *origin, *authorization; /* NULL where it is absent */
    caller *caller;     /* who asks; NULL where that is not told */
    bool is_preflight;  /* a browser asks what a page of another origin may send */
    layers_tensor body; /* LAYERS_U8, all of it; a cache may share it beyond the reply */
    size_t body_length; /* bytes that have come so far */
    charge *charge;     /* of the memory budget */
    bool at_leisure;    /* it may take its time: no connection waits for this thread */
    bool may_wait;      /* it may wait for the store, or is at leisure */
    void *unfinished;   /* what the handler left when it asked to be called again, its own now */
} request;

/* Whose the handles are that it gives and takes. */
static inline owner *request_owner(const request *request) {
    return request->caller ? request->caller->tenant : NULL;
}

/* The store as the caller sees it: a thread of connections may not wait for it. */
static inline store request_store(const service *service, const request *request) {
    store view = store_for(service->store, request_owner(request));
    view.hurried = !request->may_wait;
    return view;
}

typedef struct {
    int status;
    const char *content_type;   /* static; NULL for no body */
    const char *const *headers; /* more: name, value, ..., NULL; static; NULL for none */
    char *body;                 /* malloc'd; the receiver frees it */
    size_t body_length;
    double read_ms, compute_ms, write_ms;
    bool later; /* the request is dear, and has to come again at leisure */
    bool asks;  /* with `later`: it is not known to be dear, but has to wait for the store */
    /* With `later`: what has been done so far, to go on from, and how it is given up where nobody
     * comes again. NULL: nothing was done. */
    void *unfinished;
    void (*drop)(void *unfinished);
} reply;

#endif
