/* What comes in on a connection, before libmicrohttpd sees it: each head is read here (head.h), and
 * only what has one meaning passes, in the plainest form there is; chunks lose their extensions and
 * trailers. What cannot be taken becomes a request that says nothing, so that it has its turn
 * behind those before it, and is answered with the problem that was found. For one thread. */
#ifndef HTTP_INFLOW_H
#define HTTP_INFLOW_H

#include <sys/types.h>

#include "base/problem.h"

typedef struct {
    enum { INFLOW_HEAD, INFLOW_BODY, INFLOW_SIZE, INFLOW_CHUNK, INFLOW_TRAILER, INFLOW_OVER } at;
    uint64_t left;   /* bytes of the body or the chunk, with its CR LF */
    uint64_t chunks; /* bytes of all chunks so far */
    uint64_t limit;  /* that they may have; twice as many pass, to be refused in their turn */
    size_t trailer;  /* bytes of it so far */
    size_t requests; /* whose heads have passed, the refused one too */
    bool refused;    /* the last of them, by what is wrong with it: */
    problem problem;
    char *held;           /* bytes that have not passed; NULL for none */
    size_t length, ready; /* how many, and how many of the first may pass as they are */
    char *aim;            /* where a body goes; NULL: through whoever reads */
    size_t aimed;         /* whose body: the number of its request */
    uint64_t whole;       /* bytes of it */
    uint64_t direct;      /* the first of its bytes that went straight there; none yet: `whole` */
    size_t owed;          /* bytes that did, and are still to be told of */
} inflow;

/* For a new connection, whose chunked bodies may have so many bytes. */
void inflow_begin(inflow *in, uint64_t limit);
void inflow_end(inflow *in);

/* The body at hand, of which `whole` bytes were announced, goes straight to memory for all of them:
 * from the byte in->direct on, what is given out counts, and is not written. Until inflow_unaim, to
 * be called while the memory is there. */
void inflow_aim(inflow *in, char *memory, uint64_t whole);
void inflow_unaim(inflow *in);

/* Reads as recv does, and what it gives may be parsed as HTTP. It gives less than there is room for
 * only where the socket had no more. */
ssize_t inflow_read(inflow *in, int fd, char *out, size_t room);

#endif
