/* Refusals whose cause an operator can change, told in the log: each kind once when it begins, then
 * how many more there were, once a minute while it lasts. Thread-safe. */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include "base/problem.h"

/* A problem was answered. Those that are the caller's own are not told. */
void tally_refused(const problem *problem);

/* Tells what has been counted for a minute, at a time of clock_coarse_ms(); for one thread. Whether
 * something is still being counted, so that there will be more to tell. */
bool tally_report(int64_t now);

#endif
