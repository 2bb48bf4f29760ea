/* What is found of answers to max_pool: slips are told by their names; ties, two NaN in a window
 * and what float32 makes equal are not to be told. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "layers/check.h"
#include "unit/calls.h"

TestSuite(answers_pools);

/* One plane, its windows, and in backward dout. */
typedef struct {
    size_t H, W, R, S, stride;
    const double *x, *dout;
    layers_dtype precision;
} pool;

static layers_finding judge(const pool *p, const double *claim, const size_t *shape, int rank) {
    layers_question question;
    layers_check *check;
    layers_finding finding;
    layers_error error;
    size_t P = (p->H - p->R) / p->stride + 1, Q = (p->W - p->S) / p->stride + 1;
    layers_question_make(&question, layers_find("max_pool", p->dout ? "backward" : "forward"));
    layers_call asked = {.operation = &question.takes};
    asked.inputs[0] = tensor_of(LAYERS_F64, SHAPE(1, 1, p->H, p->W), p->x);
    if (p->dout)
        asked.inputs[1] = tensor_of(LAYERS_F64, SHAPE(1, 1, P, Q), p->dout);
    for (int i = 0; i < 3; i++)
        asked.params[i] = (layers_value){.given = true,
                                         .number = (double)(i == 0   ? p->R
                                                            : i == 1 ? p->S
                                                                     : p->stride)};
    const layers_value value = {.tensor = tensor_of(LAYERS_F64, shape, rank, claim)};
    layers_code code = layers_check_make(&check, &question, &asked, p->precision, &error);
    cr_assert(code == LAYERS_OK, "%s", error.message);
    cr_assert(layers_check_run(check, NULL, &error) == LAYERS_OK);
    cr_assert(layers_check_judge(check, 0, &value, NULL, &finding, &error) == LAYERS_OK);
    layers_check_free(check);
    layers_call_clear(&asked);
    layers_tensor claimed = value.tensor;
    layers_tensor_clear(&claimed);
    return finding;
}

/* Claims these values, in the shape that is due: the verdict, and the fault where there is one. */
static void claim(const pool *p, const double *values, layers_verdict verdict, const char *fault) {
    size_t P = (p->H - p->R) / p->stride + 1, Q = (p->W - p->S) / p->stride + 1;
    layers_finding finding =
        p->dout ? judge(p, values, SHAPE(1, 1, p->H, p->W)) : judge(p, values, SHAPE(1, 1, P, Q));
    CHECK(finding.verdict == verdict, "%s, not %s: %s", layers_verdict_names[finding.verdict],
          layers_verdict_names[verdict], finding.says);
    CHECK(fault ? finding.fault && !strcmp(finding.fault, fault) : !finding.fault,
          "%s, where %s is due: %s", finding.fault ? finding.fault : "no fault",
          fault ? fault : "none", finding.says);
}

static void claim_shape(const pool *p, const size_t *shape, int rank, const char *words) {
    static const double zeros[64];
    layers_finding finding = judge(p, zeros, shape, rank);
    CHECK(finding.verdict == LAYERS_WRONG && !strcmp(finding.fault, "shape"), "%s", finding.says);
    CHECK(strstr(finding.says, words), "not \"%s\" but \"%s\"", words, finding.says);
}

static const double plane[] = {
    0.5, -1, 3,    2,     -4, -5, //
    1,   -2, 0.25, -3,    -6, -7, //
    4,   5,  -0.5, -1.5,  7,  6,  //
    -8,  -9, 8,    -0.75, 9,  10,
};

Test(answers_pools, slips_of_forward_are_told) {
    const pool p = {4, 6, 2, 2, 2, plane, NULL, LAYERS_F64};
    claim(&p, VALUES(1, 3, -4, 5, 8, 10), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(1, 3, -4, 5, 8, 9), LAYERS_WRONG, NULL);
    claim(&p, VALUES(-0.375, 0.5625, -5.5, -2, 1.3125, 8), LAYERS_WRONG, "averaged");
    claim(&p, VALUES(-2, -3, -7, -9, -1.5, 6), LAYERS_WRONG, "smallest");
    claim(&p, VALUES(1, 3, 0, 5, 8, 10), LAYERS_WRONG, "starts_at_zero");
    claim(&p, VALUES(1, 3, 3, 5, 5, 0.25), LAYERS_WRONG, "stride_ignored");
    claim(&p, VALUES(1, 3, 0, 0, 0, 0), LAYERS_WRONG, "last_window_missing");
    claim(&p, VALUES(1, 3, -4, 0, 0, 0), LAYERS_WRONG, NULL);
}

Test(answers_pools, windows_with_rows_for_columns_are_told) {
    const pool p = {4, 6, 1, 3, 1, plane, NULL, LAYERS_F64};
    claim(&p, VALUES(3, 3, 3, 2, 1, 0.25, 0.25, -3, 5, 5, 7, 7, 8, 8, 9, 10), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(4, 5, 3, 2, 4, 5, 8, -0.75, 4, 5, 8, -0.75, -8, -9, 8, -0.75), LAYERS_WRONG,
          "window_transposed");
}

Test(answers_pools, what_is_not_finite_is_the_largest_that_it_is) {
    const double x[] = {NAN, 1, -INFINITY, -INFINITY, 4, 5, //
                        2,   3, -INFINITY, -INFINITY, 6, 7};
    const pool p = {2, 6, 2, 2, 2, x, NULL, LAYERS_F64};
    claim(&p, VALUES(NAN, -INFINITY, 7), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(3, -INFINITY, 7), LAYERS_WRONG, "nan_skipped");
    claim(&p, VALUES(NAN, -DBL_MAX, 7), LAYERS_WRONG, "lowest_float");
    const pool narrow = {2, 6, 2, 2, 2, x, NULL, LAYERS_F32};
    claim(&narrow, VALUES(NAN, -FLT_MAX, 7), LAYERS_WRONG, "lowest_float");
}

Test(answers_pools, slips_of_backward_are_told) {
    const double x[] = {1, 2, 3, 4, 9, 5, 6, 7, 8}, dout[] = {1, 20, 300, 4000};
    const pool p = {3, 3, 2, 2, 1, x, dout, LAYERS_F64};
    claim(&p, VALUES(0, 0, 0, 0, 4321, 0, 0, 0, 0), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(0, 0, 0, 0, 4000, 0, 0, 0, 0), LAYERS_WRONG, "overlap_not_added");
    claim(&p, VALUES(1, 21, 20, 301, 4321, 4020, 300, 4300, 4000), LAYERS_WRONG, "gradient_to_all");
    claim(&p, VALUES(0.25, 5.25, 5, 75.25, 1080.25, 1005, 75, 1075, 1000), LAYERS_WRONG,
          "averaged");
    claim(&p, VALUES(1, 20, 0, 300, 0, 4000, 0, 0, 0), LAYERS_WRONG, "smallest");
    claim(&p, VALUES(0, 0, 0, 0, 1, 0, 0, 0, 0), LAYERS_WRONG, "last_window_missing");
}

/* Each window written over those before it, zeros too: the largest of the first two is lost. */
Test(answers_pools, windows_that_overwrite_are_told) {
    const pool p = {1, 4, 1, 2, 1, VALUES(1, 5, 3, 4), VALUES(10, 20, 30), LAYERS_F64};
    claim(&p, VALUES(0, 30, 0, 30), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(0, 20, 0, 30), LAYERS_WRONG, "overlap_not_added");
    const pool third = {1, 3, 1, 2, 1, VALUES(1, 5, 9), VALUES(10, 20), LAYERS_F64};
    claim(&third, VALUES(0, 10, 20), LAYERS_RIGHT, NULL);
    claim(&third, VALUES(0, 0, 20), LAYERS_WRONG, "overlap_not_added");
}

Test(answers_pools, negative_windows_have_a_gradient) {
    const pool p = {1, 4, 1, 2, 2, VALUES(-1, -2, 3, 4), VALUES(5, 6), LAYERS_F64};
    claim(&p, VALUES(5, 0, 0, 6), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(0, 0, 0, 6), LAYERS_WRONG, "starts_at_zero");
}

Test(answers_pools, ties_are_not_to_be_told) {
    const pool p = {2, 2, 2, 2, 1, VALUES(1, 7, 7, 7), VALUES(6), LAYERS_F64};
    claim(&p, VALUES(0, 6, 0, 0), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(0, 6, 6, 6), LAYERS_UNDECIDED, "ties_all");
    claim(&p, VALUES(0, 2, 2, 2), LAYERS_UNDECIDED, "ties_shared");
    claim(&p, VALUES(0, 0, 6, 0), LAYERS_UNDECIDED, "ties_column_major");
    claim(&p, VALUES(0, 0, 0, 6), LAYERS_UNDECIDED, "ties_last");
    claim(&p, VALUES(6, 0, 0, 0), LAYERS_WRONG, "smallest");
}

Test(answers_pools, two_nan_in_a_window_are_not_to_be_told) {
    const pool p = {1, 4, 1, 2, 2, VALUES(NAN, NAN, 3, 4), VALUES(5, 6), LAYERS_F64};
    claim(&p, VALUES(5, 0, 0, 6), LAYERS_UNDECIDED, NULL);
    claim(&p, VALUES(0, 5, 0, 6), LAYERS_UNDECIDED, NULL);
    claim(&p, VALUES(0, 5, 6, 0), LAYERS_WRONG, "smallest");
    const pool one = {1, 4, 1, 2, 2, VALUES(1, NAN, 3, 4), VALUES(5, 6), LAYERS_F64};
    claim(&one, VALUES(0, 5, 0, 6), LAYERS_RIGHT, NULL);
    claim(&one, VALUES(5, 0, 0, 6), LAYERS_WRONG, "nan_skipped");
}

Test(answers_pools, what_float32_makes_equal_is_not_to_be_told) {
    pool p = {1, 4, 1, 2, 2, VALUES(1, 1 + 1e-12, 3, 4), VALUES(5, 6), LAYERS_F64};
    claim(&p, VALUES(0, 5, 0, 6), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(5, 0, 0, 6), LAYERS_WRONG, "order");
    p.precision = LAYERS_F32;
    claim(&p, VALUES(0, 5, 0, 6), LAYERS_UNDECIDED, NULL);
    claim(&p, VALUES(5, 0, 0, 6), LAYERS_UNDECIDED, NULL);
    claim(&p, VALUES(5, 0, 6, 0), LAYERS_WRONG, "smallest");
}

Test(answers_pools, nothing_is_lost_beyond_float32) {
    const pool p = {1, 4, 1, 3, 1, VALUES(0.1, 0.7, 0.2, 0.3), VALUES(0.1, 0.7), LAYERS_F32};
    claim(&p, VALUES(0, (float)0.1 + (float)0.7, 0, 0), LAYERS_RIGHT, NULL);
    claim(&p, VALUES(0, 0.80001, 0, 0), LAYERS_WRONG, NULL);
    const pool out = {1, 4, 1, 3, 1, VALUES(0.1, 0.7, 0.2, 0.3), NULL, LAYERS_F32};
    claim(&out, VALUES((float)0.7, (float)0.7), LAYERS_RIGHT, NULL);
    claim(&out, VALUES(0.7, 0.70001), LAYERS_WRONG, NULL);
    const pool rest = {5, 3, 2, 3, 3, plane, NULL, LAYERS_F64};
    claim_shape(&rest, SHAPE(1, 1, 1, 1), "exchanged, or H was divided by the stride");
    const pool wide = {1, 4, 1, 3, 1, VALUES(0.1, 0.7, 0.2, 0.3), NULL, LAYERS_F64};
    claim(&wide, VALUES((float)0.7, (float)0.7), LAYERS_WRONG, "float32_values");
}

enum { SIDE = 9, OUT = SIDE - 2 }; /* of a plane, and of windows of 3 by 3 in it */

/* The place of the largest element of window o. */
static size_t largest_of(const double *x, size_t o) {
    size_t start = o / OUT * SIDE + o % OUT, best = start;
    for (size_t i = 0; i < 9; i++) {
        size_t here = start + i / 3 * SIDE + i % 3;
        best = x[here] > x[best] ? here : best;
    }
    return best;
}

Test(answers_pools, gradients_add_up_in_any_order) {
    double x[SIDE * SIDE], dout[OUT * OUT];
    uint64_t seed = 5;
    for (size_t i = 0; i < SIDE * SIDE; i++)
        x[i] = uniform(&seed);
    for (size_t i = 0; i < OUT * OUT; i++)
        dout[i] = (i % 2 ? 1 : -1) * (1 + uniform(&seed));
    pool p = {SIDE, SIDE, 3, 3, 1, x, dout, LAYERS_F64};
    for (int backwards = 0; backwards < 2; backwards++) {
        double dx[SIDE * SIDE] = {0};
        float narrow[SIDE * SIDE] = {0};
        for (size_t i = 0; i < OUT * OUT; i++) {
            size_t o = backwards ? OUT * OUT - 1 - i : i;
            dx[largest_of(x, o)] += dout[o];
            narrow[largest_of(x, o)] += (float)dout[o];
        }
        p.precision = LAYERS_F64;
        claim(&p, dx, LAYERS_RIGHT, NULL);
        for (size_t i = 0; i < SIDE * SIDE; i++)
            dx[i] = narrow[i];
        claim(&p, dx, LAYERS_WRONG, "float32_values");
        p.precision = LAYERS_F32;
        claim(&p, dx, LAYERS_RIGHT, NULL);
    }
}

Test(answers_pools, other_shapes_are_explained) {
    const pool p = {4, 6, 3, 2, 2, plane, NULL, LAYERS_F64};
    claim_shape(&p, SHAPE(1, 1, 3, 1), "height and width");
    claim_shape(&p, SHAPE(1, 1, 2, 2), "pool_height and pool_width");
    claim_shape(&p, SHAPE(1, 1, 2, 5), "stride was left out");
    claim_shape(&p, SHAPE(1, 1, 2, 3), "rounded down");
    const pool apart = {4, 6, 2, 2, 1, plane, NULL, LAYERS_F64};
    claim_shape(&apart, SHAPE(1, 1, 2, 3), "not side by side");
    claim_shape(&apart, SHAPE(1, 1, 2, 4), "one window more");
    claim_shape(&apart, SHAPE(1, 1, 4, 6), "still fits");
    const pool rest = {5, 3, 2, 3, 3, plane, NULL, LAYERS_F64};
    claim_shape(&rest, SHAPE(1, 1, 1, 1), "exchanged, or H was divided by the stride");
    const pool wide = {4, 6, 1, 3, 1, plane, NULL, LAYERS_F64};
    claim_shape(&wide, SHAPE(1, 1, 6, 4), "height and width were mixed up");
    claim_shape(&wide, SHAPE(1, 1, 2, 4), "of x or of the windows");
    const pool back = {4, 6, 2, 2, 2, plane, VALUES(1, 2, 3, 4, 5, 6), LAYERS_F64};
    claim_shape(&back, SHAPE(1, 1, 6, 4), "height and width");
}
