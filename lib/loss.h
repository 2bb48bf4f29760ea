/* What the losses share: their inputs and the check of the labels. */
#ifndef LIB_LOSS_H
#define LIB_LOSS_H

#include "call.h"

enum { LOSS_X, LOSS_Y };     /* inputs: scores (N, C), labels (N) */
enum { LOSS_LOSS, LOSS_DX }; /* outputs: scalar, (N, C) */

extern const layers_field loss_inputs[], loss_outputs[];

/* N ≥ 1, and 0 ≤ y < C for each label. */
layers_code loss_check(const layers_call *call, layers_error *error);

/* Computes `count` of the N rows, at most ROW_BLOCK, of C scores at x, with the labels y: sets dx
 * there, and returns the sum of the rows' losses. x and dx are of the call's dtype. */
typedef double loss_rows(size_t N, size_t count, size_t C, const void *x, const int64_t *y,
                         void *dx);

/* Runs a loss, of so many nanoseconds a score: its mean over all rows, and dx. Its pool shares the
 * rows in pieces that depend on the shape alone. */
layers_code loss_run(layers_call *call, loss_rows *rows, double nanoseconds);

#endif
