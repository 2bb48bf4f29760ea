/* How threads share the processors, so that what computes for long delays nothing that is short. */
#ifndef SERVER_TURNS_H
#define SERVER_TURNS_H

#include <stdbool.h>

/* For a thread that answers callers, and for those it starts. With few callers it goes first: since
 * Linux 6.12 a thread that wakes and has short turns goes before one with longer turns, and the
 * workers' are. With many it goes for throughput: it does not interrupt what runs, a caller on this
 * machine for one, at each request that comes, and finds several at once. */
void turns_to_answer(bool many);

/* For a thread that computes, and for those it starts: it has a lower priority, which it cannot
 * raise again, with a third of a processor beside a thread that answers all the time; and turns no
 * longer than it takes until it gives way: who does so forgoes the rest.
 */
void turns_to_compute(void);

/* For a thread that computes, on itself: from turns_give_way(true) until turns_give_way(false), it
 * lets whoever waits for its processor go first, each half of a millisecond. Linux by itself looks
 * so often as its clock ticks, mostly each 4 ms. */
void turns_give_way(bool yes);

#endif
