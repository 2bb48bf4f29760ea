/* Threads for tests. */
#ifndef TESTS_THREADS_H
#define TESTS_THREADS_H

#include "check.h"

enum { THREADS_MOST = 64 };

/* Work of one thread; leaves `fault` empty, or a sentence of what was wrong. Assertions of
 * Criterion belong to the main thread. */
typedef void thread_work(void *context, int number, char fault[FAULT_TEXT]);

/* Runs `count` threads at once, waits for them, and checks that none found a fault. */
void threads_run(int count, thread_work *work, void *context);

#endif
