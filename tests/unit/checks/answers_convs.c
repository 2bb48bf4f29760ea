/* What is found of answers to conv: those of any order of summation are right and far within the
 * bound, which is that of norms; what is not finite over zeros is not to be told. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers/sums.h"
#include "unit/checks/convs.h"

TestSuite(answers_convs);

static double bound_of(const judging *j, size_t i) {
    double bound;
    j->asking.check->answers->bound(j->asking.check, j->output % OUT, i, 1, &bound);
    return bound;
}

/* ---- sums in many orders -----------------------------------------------------------------------
 */

enum { MOST = 1024 };

/* The products that an element is the sum of. */
typedef struct {
    size_t count;
    double a[MOST], b[MOST], added;
} terms;

static void put(terms *t, double a, double b) {
    cr_assert(t->count < MOST);
    t->a[t->count] = a;
    t->b[t->count++] = b;
}

static void out_terms(const convolution *g, size_t i, terms *t) {
    place at = place_of(i, g->F, g->P, g->Q);
    t->added = g->b[at.b];
    for (int64_t c = 0; c < g->C; c++)
        for (int64_t r = 0; r < g->R; r++)
            for (int64_t s = 0; s < g->S; s++)
                put(t,
                    x_at(g, at.a, c, at.c * g->stride + r - g->pad, at.d * g->stride + s - g->pad),
                    w_at(g, at.b, c, r, s));
}

static void dx_terms(const convolution *g, size_t i, terms *t) {
    place at = place_of(i, g->C, g->H, g->W);
    for (int64_t f = 0; f < g->F; f++)
        for (int64_t p = 0; p < g->P; p++)
            for (int64_t q = 0; q < g->Q; q++) {
                int64_t r = at.c + g->pad - p * g->stride, s = at.d + g->pad - q * g->stride;
                if (r >= 0 && r < g->R && s >= 0 && s < g->S)
                    put(t, dout_at(g, at.a, f, p, q), w_at(g, f, at.b, r, s));
            }
}

static void dw_terms(const convolution *g, size_t i, terms *t) {
    place at = place_of(i, g->C, g->R, g->S);
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t p = 0; p < g->P; p++)
            for (int64_t q = 0; q < g->Q; q++)
                put(t,
                    x_at(g, n, at.b, p * g->stride + at.c - g->pad, q * g->stride + at.d - g->pad),
                    dout_at(g, n, at.a, p, q));
}

static void db_terms(const convolution *g, size_t i, terms *t) {
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t p = 0; p < g->P; p++)
            for (int64_t q = 0; q < g->Q; q++)
                put(t, dout_at(g, n, (int64_t)i, p, q), 1);
}

static void terms_of(const judging *j, size_t i, terms *t) {
    static void (*const of[])(const convolution *, size_t, terms *) = {dx_terms, dw_terms, db_terms,
                                                                       out_terms};
    convolution g = convolution_of(j->asking.check);
    t->count = 0;
    t->added = 0;
    of[j->output](&g, i, t);
}

enum { ONWARDS, BACKWARDS, ADDED_FIRST, FUSED, LANES, EXACTLY, ORDERS };

#define SUMS(T, fused)                                                                             \
    static double sum_##T(const terms *t, int order) {                                             \
        T lane[4] = {0};                                                                           \
        lane[0] = order == ADDED_FIRST ? (T)t->added : 0;                                          \
        for (size_t i = 0; i < t->count; i++) {                                                    \
            size_t from = order == BACKWARDS ? t->count - 1 - i : i;                               \
            T a = (T)t->a[from], b = (T)t->b[from], *sum = &lane[order == LANES ? i % 4 : 0];      \
            if (order == FUSED)                                                                    \
                *sum = fused(a, b, *sum);                                                          \
            else                                                                                   \
                *sum += a * b;                                                                     \
        }                                                                                          \
        T sum = (lane[0] + lane[1]) + (lane[2] + lane[3]);                                         \
        return order == ADDED_FIRST ? sum : sum + (T)t->added;                                     \
    }
SUMS(float, fmaf)
SUMS(double, fma)

static double sum_of(const terms *t, int order, layers_dtype precision) {
    long double exact = t->added;
    if (order != EXACTLY)
        return precision == LAYERS_F32 ? sum_float(t, order) : sum_double(t, order);
    for (size_t i = 0; i < t->count; i++)
        exact += (long double)t->a[i] * t->b[i];
    return precision == LAYERS_F32 ? (float)exact : (double)exact;
}

/* Claims what a sum in this order gives, and returns how far it is from right: the largest part of
 * a bound. */
static double claim_order(const judging *j, int order, const char *what) {
    static terms t;
    size_t size = check_right(j->asking.check, j->output % OUT)->size;
    double *values = malloc(size * sizeof *values), most = 0;
    for (size_t i = 0; i < size; i++) {
        terms_of(j, i, &t);
        values[i] = sum_of(&t, order, j->asking.check->precision);
        most = fmax(most, fabs(values[i] - check_values(j->asking.check, j->output % OUT)[i]) /
                              bound_of(j, i));
    }
    layers_finding finding = finding_of(&j->asking, claim_name(j), values);
    CHECK(finding.verdict != LAYERS_WRONG, "%s: order %d is wrong: %s", what, order, finding.says);
    free(values);
    return most;
}

static void claim_orders(const geometry *g, int output, kind kind, layers_dtype asked,
                         layers_dtype precision) {
    char what[128];
    judging j;
    ask_conv(&j, output, g, asked, kind, 7 * (uint64_t)kind + g->H);
    snprintf(what, sizeof what, "geometry %d, output %d, numbers %d, %s in %s",
             (int)(g - geometries), output, kind, layers_dtype_name(asked),
             layers_dtype_name(precision));
    answer(&j.asking, precision);
    for (int order = 0; order < ORDERS; order++) {
        double most = claim_order(&j, order, what);
        CHECK(most < 0.5, "%s: order %d is %g bounds off", what, order, most);
    }
    drop_asked(&j.asking);
}

Test(answers_convs, sums_in_any_order_are_right) {
    for (size_t i = 0; i < GEOMETRIES; i++)
        for (int output = DX; output <= OUT; output++)
            for (kind kind = 0; kind < KINDS; kind++) {
                claim_orders(&geometries[i], output, kind, LAYERS_F64, LAYERS_F64);
                if (kind == GREAT) /* more than float32 can hold */
                    continue;
                claim_orders(&geometries[i], output, kind, LAYERS_F64, LAYERS_F32);
                claim_orders(&geometries[i], output, kind, LAYERS_F32, LAYERS_F32);
            }
}

/* The norms of the products that there are; dx has those of a whole channel of w instead. */
static double norms_product(const judging *j, size_t i, const terms *t) {
    convolution g = convolution_of(j->asking.check);
    double a = 0, b = 0, absolute = 0;
    for (size_t k = 0; k < t->count; k++) {
        a += t->a[k] * t->a[k];
        b += t->b[k] * t->b[k];
        absolute += fabs(t->a[k]);
    }
    if (j->output == DB)
        return absolute;
    if (j->output == DX) {
        b = 0;
        for (int64_t f = 0; f < g.F; f++)
            for (int64_t k = 0; k < g.R * g.S; k++)
                b += pow(w_at(&g, f, place_of(i, g.C, g.H, g.W).b, k / g.S, k % g.S), 2);
    }
    return sqrt(a) * sqrt(b) + fabs(t->added);
}

Test(answers_convs, bounds_are_those_of_norms) {
    static terms t;
    for (size_t n = 0; n < GEOMETRIES; n++)
        for (int output = DX; output <= OUT; output++) {
            judging j;
            ask_conv(&j, output, &geometries[n], LAYERS_F64, USUAL, n);
            answer(&j.asking, LAYERS_F64);
            convolution g = convolution_of(j.asking.check);
            for (size_t i = 0; i < check_right(j.asking.check, output % OUT)->size; i++) {
                terms_of(&j, i, &t);
                size_t k = output == DX ? (size_t)(g.F * g.R * g.S) : t.count;
                double want = sum_bound(j.asking.check, k, norms_product(&j, i, &t),
                                        check_values(j.asking.check, output % OUT)[i]);
                CHECK(is_close(bound_of(&j, i), want, 1e-12, 0),
                      "geometry %zu, output %d, element %zu: %g, not %g", n, output, i,
                      bound_of(&j, i), want);
            }
            drop_asked(&j.asking);
        }
}

/* ---- what is not finite ------------------------------------------------------------------------
 */

/* Sets an input's element, then claims the right answer with one element replaced. */
static layers_verdict claim_beside(size_t n, int output, int input, size_t at, double odd, size_t i,
                                   double value) {
    judging j;
    ask_conv(&j, output, &geometries[n], LAYERS_F64, USUAL, 3);
    set_element(&j.asking.asked.inputs[input], at, odd);
    answer(&j.asking, LAYERS_F64);
    size_t size = check_right(j.asking.check, output % OUT)->size;
    double *values = malloc(size * sizeof *values);
    memcpy(values, check_values(j.asking.check, output % OUT), size * sizeof *values);
    values[i] = value;
    layers_verdict verdict = finding_of(&j.asking, claim_name(&j), values).verdict;
    free(values);
    drop_asked(&j.asking);
    return verdict;
}

Test(answers_convs, infinite_weights_over_padding_are_not_to_be_told) {
    CHECK_EQUAL(claim_beside(0, OUT, W, 0, INFINITY, 0, NAN), LAYERS_UNDECIDED);
    CHECK_EQUAL(claim_beside(0, OUT, W, 0, INFINITY, 0, 1), LAYERS_UNDECIDED);
    CHECK_EQUAL(claim_beside(0, OUT, W, 0, NAN, 0, 1), LAYERS_UNDECIDED);
    /* the window in the middle has no padding, the next filter no infinity */
    CHECK_EQUAL(claim_beside(0, OUT, W, 0, INFINITY, 7, 1), LAYERS_WRONG);
    CHECK_EQUAL(claim_beside(0, OUT, W, 0, INFINITY, 7, NAN), LAYERS_WRONG);
    CHECK_EQUAL(claim_beside(0, OUT, W, 0, INFINITY, 15, 100), LAYERS_WRONG);
    CHECK_EQUAL(claim_beside(0, DW, 3, 0, INFINITY, 0, 1), LAYERS_UNDECIDED);
    CHECK_EQUAL(claim_beside(0, DX, W, 0, INFINITY, 0, 1), LAYERS_UNDECIDED);
}

Test(answers_convs, without_padding_they_are_matched_in_kind) {
    CHECK_EQUAL(claim_beside(3, OUT, W, 0, NAN, 0, NAN), LAYERS_RIGHT);
    CHECK_EQUAL(claim_beside(3, OUT, W, 0, NAN, 0, 1), LAYERS_WRONG);
    CHECK_EQUAL(claim_beside(3, OUT, X, 0, NAN, 0, NAN), LAYERS_RIGHT);
    CHECK_EQUAL(claim_beside(0, OUT, X, 0, NAN, 0, 1), LAYERS_WRONG);
    CHECK_EQUAL(claim_beside(0, OUT, X, 0, NAN, 0, NAN), LAYERS_RIGHT);
    CHECK_EQUAL(claim_beside(3, DW, 3, 0, NAN, 0, 1), LAYERS_WRONG);
}
