/* Memory that runs out when a test says so: malloc and its like, of the whole program and the
 * libraries that it uses. Only the calling thread is watched. */
#ifndef UNIT_FAILING_MALLOC_H
#define UNIT_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Starts to count what is allocated and not freed. */
void malloc_watch(void);

/* The allocation number `index` from now on, 0 for the next, fails; those after it do not. */
void malloc_fail_at(size_t index);

/* No more failures; whether there was one. */
bool malloc_failed(void);

/* Ends the count: blocks allocated since malloc_watch, less those freed. */
long malloc_live(void);

#endif
