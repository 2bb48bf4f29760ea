/* Who asks: what a token stands for, by its line in the file of tokens. */
#ifndef ACCESS_CALLER_H
#define ACCESS_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "access/quota.h"
#include "access/secret.h"
#include "base/owner.h"
#include "base/problem.h"

/* What a token may do: none holds another. */
typedef enum {
    SCOPE_NONE,        /* whatever token */
    SCOPE_COMPUTE = 1, /* operations, graphs, caches */
    SCOPE_CHECK = 2,   /* checks and challenges */
    SCOPE_ADMIN = 4,   /* metrics, and what is known of tokens */
} scope;

enum { SCOPES = 3, CALLER_NAME_MOST = 64 };

extern const char *const scope_names[SCOPES]; /* of the bits, the lowest first */

typedef struct {
    uint64_t rate, burst; /* requests a second, and at once; a rate of 0 is none */
    uint64_t work;        /* units of work a second, as layers_call.work counts them; 0: any */
} caller_limits;

/* Why somebody is refused. */
typedef enum {
    REFUSED_NO_TOKEN,
    REFUSED_BAD_REQUEST,
    REFUSED_BAD_TOKEN,
    REFUSED_SCOPE,
    REFUSED_RATE,
    REFUSED_WORK,
    REFUSALS
} refusal;

typedef struct {
    atomic_uint_fast64_t count[REFUSALS];
} refusal_counts;

/* What a token has used. It stays where its line is changed, as long as the name does. */
typedef struct {
    atomic_size_t references;
    bucket requests, work;
    atomic_uint_fast64_t passed, refused; /* requests */
    atomic_uint_fast64_t worked;          /* units of work */
    atomic_int_fast64_t last;             /* use, in seconds since 1970; 0 for none */
} usage;

typedef struct {
    atomic_size_t references;
    owner *tenant; /* NULL for none */
    unsigned scopes;
    bool verdict_only;   /* detail=verdict: is told right or wrong and no more */
    bool challenge_only; /* only=challenge: may not check what it chose itself */
    caller_limits limits;
    int64_t until; /* the end, in seconds since 1970; INT64_MAX for none */
    usage *usage;
    refusal_counts *refusals; /* of all callers */
    unsigned char digest[SHA256_BYTES];
    char name[];
} caller;

/* Gives a reference up; NULL is none. */
void caller_release(caller *caller);

/* Charges so many units of work, before any is done; a check counts twice. False with a problem,
 * rate_limited, where the caller has done more than it may for now. NULL may all. */
bool caller_work(caller *caller, double work, problem *problem);

#endif
