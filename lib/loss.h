/* What the losses share: their inputs and the check of the labels. */
#ifndef LIB_LOSS_H
#define LIB_LOSS_H

#include "call.h"

enum { LOSS_X, LOSS_Y };     /* inputs: scores (N, C), labels (N) */
enum { LOSS_LOSS, LOSS_DX }; /* outputs: scalar, (N, C) */

extern const layers_field loss_inputs[], loss_outputs[];

/* N ≥ 1, and 0 ≤ y < C for each label. */
layers_code loss_check(const layers_call *call, layers_error *error);

/* The mean over all rows of what some_rows returns the sum of for `count` rows from `first` on, in
 * pieces that the call's pool may share. The pieces depend on the shape alone. */
double loss_mean(layers_call *call,
                 double (*some_rows)(const layers_call *call, size_t first, size_t count));

#endif
