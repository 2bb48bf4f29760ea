/* Monotonic milliseconds, and how a time is told. */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include <stdint.h>
#include <time.h>

/* For durations that are told. */
static inline double clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* For deadlines: of a tick's precision, a few milliseconds, and next to free. */
static inline int64_t clock_coarse_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum { CLOCK_TEXT = 32 };

/* RFC 3339, to the millisecond, of milliseconds since 1970. Returns `text`. */
const char *clock_text(int64_t milliseconds, char text[CLOCK_TEXT]);

#endif
