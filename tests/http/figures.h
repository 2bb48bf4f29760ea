/* Figures of GET /metrics. */
#ifndef TESTS_FIGURES_H
#define TESTS_FIGURES_H

#include "daemon.h"

/* The page; good until the caller forgets its answers. */
const char *scrape(process *process);

/* The value of a sample, ' standing for "; `format` takes `label`. NaN where there is none. */
double value_in(const char *page, const char *format, const char *label)
    __attribute__((format(printf, 2, 0)));
double value_of(process *process, const char *name);

/* Waits until a figure has a value; checks that it gets it. */
bool becomes(process *process, const char *name, double want);

#endif
