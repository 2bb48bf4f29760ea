/* softmax: cross-entropy through a log-sum-exp.
 *     loss = −Σ log softmax(x)_n,y / N      dx = (softmax(x) − onehot(y)) / N
 * With m the largest score of a row, log softmax(x)_y = (x_y − m) − log Σ_j exp(x_j − m): no
 * exponential is above 1 and the sum is at least 1, so nothing overflows and nothing is log 0. */
#ifndef REAL
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "blocks.h"
#include "kernel.h"
#include "loss.h"

extern const layers_answers softmax_loss_answers;

enum { AT_ONCE = 512 }; /* exponentials */

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
    .answers = &softmax_loss_answers,
};

#else /* the kernel, for REAL */

#include "lanes.h"

#include "exp.h"

/* The largest score. One that is NaN may be passed over: it makes the sum NaN in any case. */
INLINED REAL typed(row_largest)(size_t C, const REAL *x) {
    enum { APART = 4 }; /* whose steps do not wait for each other */
    REAL largest = x[0];
    size_t j = 0;
    if (C >= APART * LANES_IN) {
        typed(lanes) most[APART];
        memcpy(most, x, sizeof most);
        for (j = APART * LANES_IN; j + APART * LANES_IN <= C; j += APART * LANES_IN)
            for (size_t i = 0; i < APART; i++) {
                typed(lanes) next = *(const typed(lanes) *)(x + j + i * LANES_IN);
                typed(bits) more = (typed(bits))(next > most[i]);
                most[i] =
                    (typed(lanes))((more & (typed(bits))next) | (~more & (typed(bits))most[i]));
            }
        for (size_t i = 0; i < APART; i++)
            for (size_t l = 0; l < LANES_IN; l++)
                largest = most[i][l] > largest ? most[i][l] : largest;
    }
    for (; j < C; j++)
        largest = x[j] > largest ? x[j] : largest;
    return largest;
}

/* Four are added as they are, then in double, by ROW_PIECE. */
INLINED double typed(row_sum)(size_t C, const REAL *e) {
    double total = 0;
    for (size_t j = 0, end; j < C; j = end) {
        double rest = 0;
        end = at_most(C, j + ROW_PIECE);
        if (j + 4 * LANES <= end) {
            double lane[LANES] = {0};
            for (; j + 4 * LANES <= end; j += 4 * LANES)
                for (size_t i = j; i < j + LANES; i++)
                    lane[i - j] += (e[i] + e[i + LANES]) + (e[i + 2 * LANES] + e[i + 3 * LANES]);
            total += pairwise_sum(lane, LANES);
        }
        for (; j < end; j++)
            rest += e[j];
        total += rest;
    }
    return total;
}

/* The loss of one row; its exponentials dx become its gradient, divided by N. Where the label has
 * the largest score, its exponential is 1: the others are summed without it, so that neither the
 * loss nor the gradient at the label, softmax − 1, loses its digits when the others are small. */
INLINED double typed(row)(size_t N, size_t C, size_t label, REAL below, REAL *dx) {
    bool top = below == 0;
    double right = dx[label];
    if (top)
        dx[label] = 0;
    double sum = typed(row_sum)(C, dx), whole = top ? 1 + sum : sum;
    double divisor = whole * (double)N;
    REAL share = (REAL)(1 / divisor);
    for (size_t j = 0; j < C; j++)
        dx[j] *= share;
    dx[label] = (REAL)((top ? -sum : right - sum) / divisor);
    /* cppcheck-suppress invalidFunctionArg; at least one term of the sum is exp(0) */
    return (top ? log1p(sum) : log(sum)) - below;
}

/* Sets dx to its exponentials, `small` where one may be below EXP_SMALL; and asks for what comes
 * after: the scores from x on, and where their exponentials go. */
INLINED void typed(exponentials)(size_t size, REAL *dx, const REAL *x, bool small) {
    const size_t line = 64 / sizeof(REAL), step = 8 * line;
    for (size_t j = 0, end; j < size; j = end) {
        end = at_most(size, j + step);
        for (size_t i = j; i < end; i += line) {
            __builtin_prefetch(x + i);
            __builtin_prefetch(dx + size + i, 1);
        }
        if (small)
            for (size_t i = j; i < end; i++)
                dx[i] = typed(exp)(dx[i], true);
        else
            for (size_t i = j; i < end; i++)
                dx[i] = typed(exp)(dx[i], false);
    }
}

/* loss_rows: sets `count` of the N rows of dx; returns the sum of the rows' losses. Exponentials
 * are taken of several short rows at once. */
KERNEL double typed(rows)(size_t N, size_t count, size_t C, const void *scores, const int64_t *y,
                          void *gradient) {
    const REAL *x = scores;
    REAL *dx = gradient, below[ROW_BLOCK];
    double loss[ROW_BLOCK];
    size_t some = at_most(ROW_BLOCK, 1 + AT_ONCE / C);
    for (size_t n = 0; n < count; n += some, x += some * C, dx += some * C) {
        size_t rows = at_most(some, count - n);
        int small = 0; /* whether any exponential is */
        for (size_t i = 0; i < rows; i++) {
            REAL largest = typed(row_largest)(C, x + i * C);
            below[i] = x[i * C + (size_t)y[n + i]] - largest;
            for (size_t j = 0; j < C; j++) {
                REAL below = x[i * C + j] - largest;
                small |= !(below >= EXP_SMALL);
                dx[i * C + j] = below;
            }
        }
        typed(exponentials)(rows * C, dx, x + rows * C, small);
        for (size_t i = 0; i < rows; i++)
            loss[n + i] = typed(row)(N, C, (size_t)y[n + i], below[i], dx + i * C);
    }
    return pairwise_sum(loss, count);
}

static layers_code typed(loss)(layers_call *call, layers_error *error) {
    (void)error;
    return loss_run(call, typed(rows), sizeof(REAL) / 3.0);
}

#endif
