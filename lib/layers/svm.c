/* svm: the multiclass hinge loss with margin 1 (Weston and Watkins, 1999, as the course states it).
 *     margin_nj = max(0, x_nj − x_n,y + 1) for j ≠ y_n      loss = Σ margin / N
 *     dx_nj = [margin_nj > 0] / N for j ≠ y_n, and at y_n minus the row's count of those over N
 * Margins are in the dtype of x, as NumPy's are, so that both decide alike at 0; they are summed by
 * four, then in double over a row and over the rows. */
#ifndef REAL
#include <string.h>

#include "blocks.h"
#include "kernel.h"
#include "loss.h"

extern const layers_answers svm_loss_answers;

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
    .answers = &svm_loss_answers,
};

#else /* the kernel, for REAL */

#include "lanes.h"

/* The margins in the lanes at x: sets dx, counts, and returns what is to be summed. One of NaN is
 * summed, as in NumPy, and not counted. */
INLINED void typed(margins)(const REAL *x, REAL right, REAL share, REAL *dx, typed(bits) * count,
                            typed(lanes) * margins) {
    typed(lanes) margin = *(const typed(lanes) *)x - right + 1;
    typed(bits) positive = (typed(bits))(margin > 0);
    *(typed(bits) *)dx = positive & (typed(bits))(share - (typed(lanes)){0});
    *count -= positive;
    *margins = (typed(lanes))((typed(bits))margin & ~(typed(bits))(margin <= 0));
}

/* Adds up the margins of x[0 .. C) over `right`, counts those that are positive, and sets dx to
 * `share` there and to 0 elsewhere. Four are added as they are, then in double, by ROW_PIECE. */
INLINED double typed(row)(size_t C, REAL right, REAL share, const REAL *x, REAL *dx,
                          size_t *count) {
    const size_t step = 4 * LANES_IN;
    double total = 0;
    for (size_t j = 0, end; j < C; j = end) {
        double rest = 0;
        end = at_most(C, j + ROW_PIECE);
        if (j + step <= end) {
            typed(bits) more = {0};
            double lane[LANES_IN] = {0};
            for (; j + step <= end; j += step) {
                typed(lanes) part[4];
                for (size_t i = 0; i < 4; i++)
                    typed(margins)(x + j + i * LANES_IN, right, share, dx + j + i * LANES_IN, &more,
                                   &part[i]);
                part[0] = (part[0] + part[1]) + (part[2] + part[3]);
                for (size_t l = 0; l < LANES_IN; l++)
                    lane[l] += part[0][l];
            }
            for (size_t l = 0; l < LANES_IN; l++)
                *count += more[l];
            total += pairwise_sum(lane, LANES_IN);
        }
        for (; j < end; j++) {
            REAL margin = x[j] - right + 1;
            rest += margin <= 0 ? 0 : margin;
            *count += margin > 0;
            dx[j] = margin > 0 ? share : 0;
        }
        total += rest;
    }
    return total;
}

/* loss_rows: sets `count` of the N rows of dx; returns the sum of the margins. */
KERNEL double typed(rows)(size_t N, size_t count, size_t C, const void *scores, const int64_t *y,
                          void *gradient) {
    const REAL *x = scores;
    REAL *dx = gradient;
    REAL share = (REAL)(1 / (double)N);
    double loss[ROW_BLOCK];
    for (size_t n = 0; n < count; n++, x += C, dx += C) {
        size_t label = (size_t)y[n], after = label + 1, positive = 0;
        loss[n] = typed(row)(label, x[label], share, x, dx, &positive);
        loss[n] += typed(row)(C - after, x[label], share, x + after, dx + after, &positive);
        dx[label] = positive ? -(REAL)((double)positive / (double)N) : 0;
    }
    return pairwise_sum(loss, count);
}

static layers_code typed(loss)(layers_call *call, layers_error *error) {
    (void)error;
    return loss_run(call, typed(rows), sizeof(REAL) / 12.0);
}

#endif
