/* Time for tests: deadlines and polling, never a sleep of a fixed length. */
#ifndef TESTS_CLOCK_H
#define TESTS_CLOCK_H

#include <stdbool.h>

/* Milliseconds of a clock that does not jump. */
double clock_now(void);

/* A pause between two looks at something that is to become true. */
void clock_pause(void);

/* `for (double end = clock_now() + 5000; !condition && clock_before(end);)`: pauses, and false
 * once the time is over. */
bool clock_before(double end);

#endif
