/* The layers in long double, in plain loops: what the library's results are held against. */
#ifndef UNIT_ACCURACY_TRUTH_H
#define UNIT_ACCURACY_TRUTH_H

#include "unit/calls.h"

/* Arrays of long double, in the order of the operation's outputs and then of its parameters that
 * are vectors. */
typedef struct {
    size_t count;
    long double *array[LAYERS_MAX_TENSORS];
} truth;

/* What a call is to give. `forward` is the call that gave the cache of a backward, else NULL. */
truth truth_of(const layers_call *call, const layers_call *forward);
void truth_free(truth *truth);

#endif
