/* Whether a request may come in, by its headers (RFC 6750), and what it is told of its quota. */
#ifndef ACCESS_ADMIT_H
#define ACCESS_ADMIT_H

#include "access/tokens.h"

typedef struct {
    const char *authorization; /* the header; NULL where there is none */
    bool in_query;             /* there is an access_token in the query */
    scope scope, also;         /* that the route asks for; and that the detail of a verdict does */
    bool chooses;              /* the caller chooses what is to be checked */
} admission;

/* The headers RateLimit-Policy and RateLimit; "" for none. */
typedef struct {
    char policy[64], left[64];
} quota_headers;

/* Who asks, a reference, where he may; where he may not, false with a problem, and *caller is still
 * who it is, where that is known. */
bool admit(tokens *tokens, const admission *admission, caller **caller, quota_headers *headers,
           problem *problem);

#endif
