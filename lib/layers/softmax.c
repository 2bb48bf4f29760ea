/* softmax: cross-entropy through a log-sum-exp.
 *     loss = −Σ log softmax(x)_n,y / N      dx = (softmax(x) − onehot(y)) / N
 * With m the largest score of a row, log softmax(x)_y = (x_y − m) − log Σ_j exp(x_j − m): no
 * exponential is above 1 and the sum is at least 1, so nothing overflows and nothing is log 0. */
#ifndef REAL
#include <math.h>

#include "loss.h"

#define LAYER_FILE "layers/softmax.c"
#include "both_dtypes.h"

const layers_operation softmax_loss = {
    .layer = "softmax",
    .name = "loss",
    .summary = "Softmax cross-entropy loss, and its gradient.",
    .inputs = loss_inputs,
    .outputs = loss_outputs,
    .check = loss_check,
    .run = {loss_f64, loss_f32},
};

#else /* the kernel, for REAL */

/* The loss of one row; dx becomes its gradient, times `share`. */
static double NAME(row_loss)(size_t C, size_t label, double share, const REAL *x, REAL *dx) {
    REAL largest = x[0];
    for (size_t j = 1; j < C; j++)
        largest = x[j] > largest ? x[j] : largest;
    double sum = 0;
    for (size_t j = 0; j < C; j++) {
        dx[j] = EXP(x[j] - largest);
        sum += dx[j];
    }
    double right = dx[label] / sum;
    for (size_t j = 0; j < C; j++)
        dx[j] = (REAL)(dx[j] / sum * share);
    dx[label] = (REAL)((right - 1) * share);
    /* cppcheck-suppress invalidFunctionArg; at least one term of the sum is exp(0) */
    return log(sum) - ((double)x[label] - (double)largest);
}

static layers_code NAME(loss)(layers_call *call, layers_error *error) {
    (void)error;
    size_t N = dims_length(&call->dims, 'N'), C = dims_length(&call->dims, 'C');
    const REAL *x = call->inputs[LOSS_X].data;
    const int64_t *y = call->inputs[LOSS_Y].data;
    REAL *dx = call->outputs[LOSS_DX].data;
    double total = 0;
    for (size_t n = 0; n < N; n++)
        total += NAME(row_loss)(C, (size_t)y[n], 1 / (double)N, x + n * C, dx + n * C);
    *(REAL *)call->outputs[LOSS_LOSS].data = (REAL)(total / (double)N);
    return LAYERS_OK;
}

#endif
