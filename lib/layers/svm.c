/* svm: the multiclass hinge loss with margin 1 (Weston and Watkins, 1999, as the course states it).
 *     margin_nj = max(0, x_nj − x_n,y + 1) for j ≠ y_n      loss = Σ margin / N
 *     dx_nj = [margin_nj > 0] / N for j ≠ y_n, and at y_n minus the row's count of those over N
 * Margins are in the dtype of x, as NumPy's are, so that both decide alike at 0; they are summed in
 * double, first over a row and then over the rows. */
#ifndef REAL
#include "loss.h"

#define LAYER_FILE "layers/svm.c"
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

static layers_code NAME(loss)(layers_call *call, layers_error *error) {
    (void)error;
    size_t N = dims_length(&call->dims, 'N'), C = dims_length(&call->dims, 'C');
    const REAL *x = call->inputs[LOSS_X].data;
    const int64_t *y = call->inputs[LOSS_Y].data;
    REAL *dx = call->outputs[LOSS_DX].data;
    REAL share = (REAL)(1 / (double)N);
    double total = 0;
    for (size_t n = 0; n < N; n++, x += C, dx += C) {
        REAL right = x[y[n]];
        double row = 0;
        size_t count = 0;
        for (size_t j = 0; j < C; j++) {
            REAL margin = x[j] - right + 1;
            bool wrong = margin > 0;
            row += margin <= 0 || j == (size_t)y[n] ? 0 : margin; /* NaN counts, as in NumPy */
            count += wrong;
            dx[j] = wrong ? share : 0;
        }
        count -= x[y[n]] - right + 1 > 0; /* the right class itself, unless it is NaN */
        dx[y[n]] = -(REAL)((double)count / (double)N);
        total += row;
    }
    *(REAL *)call->outputs[LOSS_LOSS].data = (REAL)(total / (double)N);
    return LAYERS_OK;
}

#endif
