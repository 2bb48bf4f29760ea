/* One budget for the memory of all requests in flight: bodies, tensors, answers. It is charged
 * before memory is asked for, so that work is refused and the machine not driven out of memory.
 * Thread-safe; a charge belongs to one request. */
#ifndef SERVER_BUDGET_H
#define SERVER_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t limit;
    atomic_size_t used;
    atomic_size_t refused; /* times that something was not to be had */
} budget;

/* What one request has of the budget. */
typedef struct {
    budget *budget;
    size_t bytes;
} charge;

/* Charges so many bytes more; false where the budget does not have them, and then nothing is. NULL
 * stands for a budget without an end. */
bool charge_add(charge *charge, size_t bytes);

/* Gives back all but `bytes`. Does nothing where less is charged. */
void charge_reduce(charge *charge, size_t bytes);

#endif
