/* What of the machine this process may use: its own, or what its container leaves it. */
#ifndef SERVER_MACHINE_H
#define SERVER_MACHINE_H

#include <stddef.h>

/* Bytes: the machine's, or the limit of a control group that this process is in. */
size_t machine_memory(void);

/* Processors that the scheduler gives it, at least 1; a control group's quota is rounded up. */
size_t machine_processors(void);

#endif
