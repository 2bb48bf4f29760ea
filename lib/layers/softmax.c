/* softmax: cross-entropy through a log-sum-exp.
 *     loss = −Σ log softmax(x)_n,y / N      dx = (softmax(x) − onehot(y)) / N
 * With m the largest score of a row, log softmax(x)_y = (x_y − m) − log Σ_j exp(x_j − m): no
 * exponential is above 1 and the sum is at least 1, so nothing overflows and nothing is log 0. */
#ifndef REAL
#include <math.h>

#include "blocks.h"
#include "exp.h"
#include "kernel.h"
#include "loss.h"

#define THIS_FILE "layers/softmax.c"
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

/* The largest score. One that is NaN may be passed over: it makes the sum NaN in any case. */
INLINED REAL typed(row_largest)(size_t C, const REAL *x) {
    REAL lane[LANES], largest = x[0];
    size_t j = 0;
    if (C >= LANES) {
        for (int i = 0; i < LANES; i++)
            lane[i] = x[i];
        for (j = LANES; j + LANES <= C; j += LANES)
            for (int i = 0; i < LANES; i++)
                lane[i] = x[j + (size_t)i] > lane[i] ? x[j + (size_t)i] : lane[i];
        for (int i = 0; i < LANES; i++)
            largest = lane[i] > largest ? lane[i] : largest;
    }
    for (; j < C; j++)
        largest = x[j] > largest ? x[j] : largest;
    return largest;
}

INLINED double typed(row_sum)(size_t C, const REAL *e) {
    double total = 0;
    for (size_t j0 = 0; j0 < C; j0 += ROW_PIECE) {
        size_t end = at_most(C, j0 + ROW_PIECE), j = j0;
        if (j + LANES <= end) {
            double lane[LANES] = {0};
            for (; j + LANES <= end; j += LANES)
                for (size_t i = 0; i < LANES; i++)
                    lane[i] += e[j + i];
            total += lanes_total(lane);
        }
        double rest = 0;
        for (; j < end; j++)
            rest += e[j];
        total += rest;
    }
    return total;
}

/* The loss of one row; dx becomes its gradient, divided by N. Where the label has the largest
 * score, its exponential is 1: the others are summed without it, so that neither the loss nor the
 * gradient at the label, softmax − 1, loses its digits when the others are small. */
INLINED double typed(row)(size_t N, size_t C, size_t label, const REAL *x, REAL *dx) {
    REAL largest = typed(row_largest)(C, x);
    for (size_t j = 0; j < C; j++)
        dx[j] = typed(exp)(x[j] - largest);
    bool top = x[label] == largest;
    double right = dx[label];
    if (top)
        dx[label] = 0;
    double sum = typed(row_sum)(C, dx), whole = top ? 1 + sum : sum;
    double divisor = whole * (double)N;
    for (size_t j = 0; j < C; j++)
        dx[j] = (REAL)(dx[j] / divisor);
    dx[label] = (REAL)((top ? -sum : right - sum) / divisor);
    /* cppcheck-suppress invalidFunctionArg; at least one term of the sum is exp(0) */
    return (top ? log1p(sum) : log(sum)) - ((double)x[label] - (double)largest);
}

/* loss_rows: sets `count` of the N rows of dx; returns the sum of the rows'
 * losses. */
KERNEL double typed(rows)(size_t N, size_t count, size_t C, const void *scores, const int64_t *y,
                          void *gradient) {
    const REAL *x = scores;
    REAL *dx = gradient;
    double total = 0;
    for (size_t n = 0; n < count; n++) {
        total += typed(row)(N, C, (size_t)y[n], x + n * C, dx + n * C);
    }
    return total;
}

static layers_code typed(loss)(layers_call *call, layers_error *error) {
    (void)error;
    return loss_run(call, typed(rows));
}

#endif
