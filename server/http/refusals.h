/* Connections that are refused before a request of theirs is read: each gets an answer, and a while
 * to take it. Who closes at once, with something unread, breaks off: the caller, still sending, may
 * never see what was answered. For one thread. */
#ifndef SERVER_REFUSALS_H
#define SERVER_REFUSALS_H

#include "base/problem.h"
#include "http/header.h"

enum { REFUSALS_MOST = 64 }; /* with an answer they have not taken; the eldest makes room */

typedef struct {
    header_ids *ids;
    size_t count;
    struct {
        int fd;
        int64_t until;   /* of clock_coarse_ms() */
    } at[REFUSALS_MOST]; /* the eldest first */
} refusals;

/* Answers with the problem. The socket, which does not block, is the refusals' from here on. */
void refusals_add(refusals *refusals, int fd, problem *problem);

/* Closes those whose callers have closed, or have had their while. To be called now and then. */
void refusals_tend(refusals *refusals);

/* Closes all. */
void refusals_end(refusals *refusals);

#endif
