/* Tensors and caches that stay on a daemon, for tests. */
#ifndef TESTS_KEPT_H
#define TESTS_KEPT_H

#include "http/daemon.h"

/* The handle of what a graph's answer kept; ends the test where there is none. */
const char *kept_of(const answer *answer, const char *name);

/* Keeps a tensor, in JSON with ' for ", and copies its handle. */
void keep_tensor(caller *caller, const char *tensor, char handle[128]);

/* GET or DELETE of a handle. */
const answer *about_handle(caller *caller, const char *method, const char *handle);

/* What the daemon keeps, and what became of the handles so far. */
typedef struct {
    double entries, bytes, given, removed, expired;
} holdings;

holdings holdings_of(process *process);

/* Checks that nothing was kept or released since. */
void expect_holdings(process *process, const holdings *before, const char *after_what);

#endif
