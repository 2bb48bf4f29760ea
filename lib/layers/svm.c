/* svm: the multiclass hinge loss with margin 1 (Weston and Watkins, 1999, as the course states it).
 *     margin_nj = max(0, x_nj − x_n,y + 1) for j ≠ y_n      loss = Σ margin / N
 *     dx_nj = [margin_nj > 0] / N for j ≠ y_n, and at y_n minus the row's count of those over N
 * Margins are in the dtype of x, as NumPy's are, so that both decide alike at 0; they are summed in
 * double, first over a row and then over the rows. */
#ifndef REAL
#include "blocks.h"
#include "kernel.h"
#include "loss.h"

#define THIS_FILE "layers/svm.c"
#include "both_dtypes.h"

const layers_operation svm_loss = {
    .layer = "svm",
    .name = "loss",
    .summary = "Multiclass hinge loss with margin 1, and its gradient.",
    .inputs = loss_inputs,
    .outputs = loss_outputs,
    .check = loss_check,
    .run = {loss_f64, loss_f32},
};

#else /* the kernel, for REAL */

/* Adds up the margins of x[0 .. C) over `right`, counts those that are positive, and sets dx to
 * `share` there and to 0 elsewhere. A margin of NaN is added, as in NumPy, and not counted. */
INLINED double typed(margins)(size_t C, REAL right, REAL share, const REAL *x, REAL *dx,
                              size_t *count) {
    double total = 0;
    for (size_t j0 = 0; j0 < C; j0 += ROW_PIECE) {
        size_t end = at_most(C, j0 + ROW_PIECE), j = j0;
        double rest = 0;
        REAL more = 0; /* a count up to ROW_PIECE is exact in either dtype */
        if (j + LANES <= end) {
            double lane[LANES] = {0};
            REAL positive[LANES] = {0};
            for (; j + LANES <= end; j += LANES)
                for (size_t i = 0; i < LANES; i++) {
                    REAL margin = x[j + i] - right + 1;
                    lane[i] += margin <= 0 ? 0 : margin;
                    positive[i] += margin > 0 ? 1 : 0;
                    dx[j + i] = margin > 0 ? share : 0;
                }
            for (int i = 0; i < LANES; i++)
                more += positive[i];
            total += lanes_total(lane);
        }
        for (; j < end; j++) {
            REAL margin = x[j] - right + 1;
            rest += margin <= 0 ? 0 : margin;
            more += margin > 0 ? 1 : 0;
            dx[j] = margin > 0 ? share : 0;
        }
        total += rest;
        *count += (size_t)more;
    }
    return total;
}

/* loss_rows: sets `count` of the N rows of dx; returns the sum of the margins. */
KERNEL double typed(rows)(size_t N, size_t count, size_t C, const void *scores, const int64_t *y,
                          void *gradient) {
    const REAL *x = scores;
    REAL *dx = gradient;
    REAL share = (REAL)(1 / (double)N);
    double total = 0;
    for (size_t n = 0; n < count; n++, x += C, dx += C) {
        size_t label = (size_t)y[n], after = label + 1, positive = 0;
        total += typed(margins)(label, x[label], share, x, dx, &positive);
        total += typed(margins)(C - after, x[label], share, x + after, dx + after, &positive);
        dx[label] = positive ? -(REAL)((double)positive / (double)N) : 0;
    }
    return total;
}

static layers_code typed(loss)(layers_call *call, layers_error *error) {
    (void)error;
    return loss_run(call, typed(rows));
}

#endif
