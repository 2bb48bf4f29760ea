#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

const char *scrape(process *p) {
    const answer *a = fetch(p->caller, "GET", "/metrics", NULL);
    CHECK_EQUAL(a->status, 200);
    return a->body;
}

double value_in(const char *page, const char *format, const char *label) {
    char name[256];
    snprintf(name, sizeof name, format, label);
    for (char *c = name; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    size_t length = strlen(name);
    for (const char *line = page; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (!strncmp(line, name, length) && line[length] == ' ')
            return strtod(line + length + 1, NULL);
    return NAN;
}

double value_of(process *p, const char *name) {
    return value_in(scrape(p), "%s", name);
}

bool becomes(process *p, const char *name, double want) {
    double end = clock_now() + 5000;
    do
        if (value_of(p, name) == want)
            return true;
    while (clock_before(end));
    CHECK(false, "%s is %g, not %g", name, value_of(p, name), want);
    return false;
}
