#include "clock.h"

#include <time.h>

double clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

void clock_pause(void) {
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

bool clock_before(double end) {
    clock_pause();
    return clock_now() < end;
}
