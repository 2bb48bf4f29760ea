/* What right and wrong answers to affine look like.
 *
 * A sum of k products, in any order, with or without FMA, loses at most k · u · Σ|x||w| (Higham,
 * 2002, section 3.1; without restriction on k: Jeannerod and Rump, "Improved error bounds for inner
 * products", 2013), and Σ|x||w| <= ‖x‖ · ‖w‖ (Cauchy and Schwarz), which costs two passes over the
 * operands where the sum of absolute products would cost a product. */
#include <math.h>

#include "answers/sums.h"
#include "checks/check.h"

enum { X, W, B };    /* forward's inputs */
enum { DX, DW, DB }; /* backward's outputs */

/* The lengths of a call, and the norms of the rows and columns whose products there are. */
typedef struct {
    size_t N, D, M;
    const double *x, *w, *b, *dout;
} affine;

static affine affine_of(const layers_check *check) {
    return (affine){check_length(check, 'N'),
                    check_length(check, 'D'),
                    check_length(check, 'M'),
                    check_input(check, X),
                    check_input(check, W),
                    check_input(check, B),
                    check->backward.operation ? check_dout(check) : NULL};
}

/* Norms in the notes: of the rows of x and the columns of w, or in backward of the rows of dout,
 * the rows of w, the columns of x and those of dout; then Σ|dout| of each column. */
typedef struct {
    double *x_rows, *w_columns;
    double *dout_rows, *w_rows, *x_columns, *dout_columns, *dout_sums;
} norms;

static norms norms_of(const affine *a, double *notes) {
    if (!a->dout)
        return (norms){.x_rows = notes, .w_columns = notes + a->N};
    return (norms){.dout_rows = notes,
                   .w_rows = notes + a->N,
                   .x_columns = notes + a->N + a->D,
                   .dout_columns = notes + a->N + 2 * a->D,
                   .dout_sums = notes + a->N + 2 * a->D + a->M};
}

static size_t notes(const layers_check *check) {
    affine a = affine_of(check);
    return a.dout ? a.N + 2 * a.D + 2 * a.M : a.N + a.M;
}

static void note(const layers_check *check, double *to) {
    affine a = affine_of(check);
    norms n = norms_of(&a, to);
    if (!a.dout) {
        row_norms(a.x, a.N, a.D, n.x_rows);
        column_norms(a.w, a.D, a.M, n.w_columns);
        return;
    }
    row_norms(a.dout, a.N, a.M, n.dout_rows);
    row_norms(a.w, a.D, a.M, n.w_rows);
    column_norms(a.x, a.N, a.D, n.x_columns);
    column_norms(a.dout, a.N, a.M, n.dout_columns);
    column_absolute_sums(a.dout, a.N, a.M, n.dout_sums);
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    affine a = affine_of(check);
    norms n = norms_of(&a, check->notes);
    const double *right = check_values(check, output);
    for (size_t i = first; i < first + count; i++) {
        double g;
        size_t k;
        if (!a.dout) {
            k = a.D;
            g = n.x_rows[i / a.M] * n.w_columns[i % a.M] + fabs(a.b[i % a.M]);
        } else if (output == DX) {
            k = a.M;
            g = n.dout_rows[i / a.D] * n.w_rows[i % a.D];
        } else if (output == DW) {
            k = a.N;
            g = n.x_columns[i / a.M] * n.dout_columns[i % a.M];
        } else {
            k = a.N;
            g = n.dout_sums[i];
        }
        to[i - first] = sum_bound(check, k, g, right[i]);
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    BIAS_MISSING,
    BIAS_NEGATED,
    BIAS_WRONG_AXIS,
    WEIGHTS_TRANSPOSED,
    FLATTENED_OTHERWISE,
    FLATTENED_BACKWARDS,
};

/* Where in a row of x the element is that comes k-th when its first axis moves fastest. */
static size_t place_backwards(const layers_check *check, size_t k) {
    const layers_dims *dims = &check->forward.dims;
    size_t step = check_length(check, 'D'), place = 0;
    for (int i = 0; i < dims->tail_rank; i++) {
        step /= dims->tail[i];
        place += k % dims->tail[i] * step;
        k /= dims->tail[i];
    }
    return place;
}

static double product_backwards(const layers_check *check, const affine *a, size_t n, size_t m) {
    double sum = 0;
    for (size_t k = 0; k < a->D; k++)
        sum += a->x[n * a->D + place_backwards(check, k)] * a->w[k * a->M + m];
    return sum;
}

static void forward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    affine a = affine_of(view->check);
    const double *right = check_values(view->check, view->output);
    for (size_t i = first; i < first + count; i++) {
        size_t n = i / a.M, m = i % a.M;
        double *out = &to[i - first];
        switch (view->fault->variant) {
        case BIAS_MISSING:
            *out = right[i] - a.b[m];
            break;
        case BIAS_NEGATED:
            *out = right[i] - 2 * a.b[m];
            break;
        case BIAS_WRONG_AXIS:
            *out = right[i] - a.b[m] + a.b[n];
            break;
        case WEIGHTS_TRANSPOSED:
            *out = dot(a.D, a.x + n * a.D, 1, a.w + m * a.M, 1) + a.b[m];
            break;
        case FLATTENED_OTHERWISE:
            *out = dot(a.D, a.x + n, a.N, a.w + m, a.M) + a.b[m];
            break;
        case FLATTENED_BACKWARDS:
            *out = product_backwards(view->check, &a, n, m) + a.b[m];
            break;
        }
    }
}

enum {
    MEAN_NOT_SUM,
    DX_WEIGHTS_NOT_TRANSPOSED,
    DX_WEIGHTS_RESHAPED,
    DW_X_RESHAPED,
    DB_WRONG_AXIS,
};

static void backward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    affine a = affine_of(view->check);
    const double *dout = check_dout(view->check);
    const double *right = check_values(view->check, view->output);
    for (size_t i = first; i < first + count; i++) {
        double *out = &to[i - first];
        switch (view->fault->variant) {
        case MEAN_NOT_SUM:
            *out = right[i] / (double)a.N;
            break;
        case DX_WEIGHTS_NOT_TRANSPOSED:
            *out = dot(a.M, dout + i / a.D * a.M, 1, a.w + i % a.D, a.M);
            break;
        case DX_WEIGHTS_RESHAPED:
            *out = dot(a.M, dout + i / a.D * a.M, 1, a.w + i % a.D, a.D);
            break;
        case DW_X_RESHAPED:
            *out = dot(a.N, a.x + i / a.M * a.N, 1, dout + i % a.M, a.M);
            break;
        case DB_WRONG_AXIS:
            *out = sum_of_row(dout + i * a.M, a.M);
            break;
        }
    }
}

static bool has_rows(const layers_check *check) {
    return check_length(check, 'N') > 0;
}

static bool has_images(const layers_check *check) {
    return check->forward.dims.tail_rank > 1 && check->forward.outputs[0].size > 0;
}

static bool has_square_output(const layers_check *check) {
    return check_length(check, 'N') == check_length(check, 'M');
}

static bool has_square_weights(const layers_check *check) {
    return check_length(check, 'D') == check_length(check, 'M');
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* A bias of at least 1/2 either way, no two alike. */
static void adjust(layers_drawing *drawing, layers_call *asked) {
    double *b = asked->inputs[B].data;
    for (size_t m = 0; m < asked->inputs[B].size; m++)
        b[m] = (draw_below(drawing, 2) ? 1 : -1) *
               (0.5 + (double)m / 2 + draw_number(drawing, 0, 0.25));
}

#define SIZES(n)                                                                                   \
    { [LETTER('N')] = (n), [LETTER('M')] = 3 }

static const layers_case cases[] = {
    {.name = "plain", .length = SIZES(5), .tail = {4}, .adjust = adjust},
    {.name = "one", .length = SIZES(1), .tail = {4}, .adjust = adjust},
    {.name = "images", .length = SIZES(4), .tail = {2, 3, 2}, .adjust = adjust},
    {0},
};

/* clang-format off */
#define FORWARD_FAULT(name, words, ...)                                                            \
    { .code = name, .says = words, .outputs = CLAIM_BIT(0), .fill = forward_fault, __VA_ARGS__ }

#define BACKWARD_FAULT(name, words, where, ...)                                                    \
    { .code = name, .says = words, .outputs = where, .fill = backward_fault, __VA_ARGS__ }

/* clang-format on */

const layers_answers affine_forward_answers = {
    .bound = bound,
    .notes = notes,
    .note = note,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FORWARD_FAULT("bias_missing", "out is x · w: b was not added", .variant = BIAS_MISSING),
            FORWARD_FAULT("bias_negated", "out is x · w − b: b is to be added",
                          .variant = BIAS_NEGATED),
            FORWARD_FAULT("bias_wrong_axis",
                          "b was added by rows: each of its elements belongs to a column of out",
                          .variant = BIAS_WRONG_AXIS, .kind = FAULT_SPECIAL,
                          .applies = has_square_output),
            FORWARD_FAULT("weights_transposed",
                          "out is x · wᵀ + b: w was transposed, and is to be used as it is",
                          .variant = WEIGHTS_TRANSPOSED, .kind = FAULT_SPECIAL,
                          .applies = has_square_weights),
            FORWARD_FAULT(
                "flattened_otherwise",
                "x was flattened across the examples: each row of x.reshape(N, D) is one example",
                .variant = FLATTENED_OTHERWISE, .kind = FAULT_SPECIAL, .applies = has_rows),
            FORWARD_FAULT(
                "flattened_otherwise",
                "x was flattened with its first axis fastest (order='F'): its last axis is the "
                "fastest, as x.reshape(N, D) has it",
                .variant = FLATTENED_BACKWARDS, .kind = FAULT_SPECIAL, .applies = has_images),
            {0},
        },
};

const layers_answers affine_backward_answers = {
    .bound = bound,
    .notes = notes,
    .note = note,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            BACKWARD_FAULT(
                "mean_not_sum",
                "the gradient was divided by N: over the examples it is a sum, not a mean",
                CLAIM_BIT(DX) | CLAIM_BIT(DW) | CLAIM_BIT(DB), .variant = MEAN_NOT_SUM,
                .applies = has_rows),
            BACKWARD_FAULT("weights_not_transposed", "dx is dout · w: w is to be transposed",
                           CLAIM_BIT(DX), .variant = DX_WEIGHTS_NOT_TRANSPOSED,
                           .kind = FAULT_SPECIAL, .applies = has_square_weights),
            BACKWARD_FAULT("reshaped_not_transposed",
                           "w was reshaped to (M, D): a reshape keeps the order of the elements, "
                           "where w.T does not",
                           CLAIM_BIT(DX), .variant = DX_WEIGHTS_RESHAPED, .kind = FAULT_SPECIAL),
            BACKWARD_FAULT("reshaped_not_transposed",
                           "x was reshaped to (D, N): a reshape keeps the order of the elements, "
                           "where x.T does not",
                           CLAIM_BIT(DW), .variant = DW_X_RESHAPED, .kind = FAULT_SPECIAL),
            BACKWARD_FAULT(
                "sum_wrong_axis",
                "db was summed along the rows of dout: it is the sum of its rows, over N",
                CLAIM_BIT(DB), .variant = DB_WRONG_AXIS, .kind = FAULT_SPECIAL,
                .applies = has_square_output),
            {0},
        },
};
