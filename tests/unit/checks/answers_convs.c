/* What is found of answers to conv: those of any order of summation are right and far within the
 * bound, which is that of norms; those of loops with a slip in them are told by its name; what is
 * not finite over zeros is not to be told. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers/conv.h"
#include "answers/sums.h"
#include "common/check.h"
#include "unit/calls.h"

TestSuite(answers_convs);

typedef struct {
    size_t N, C, H, W, F, R, S, stride, pad;
} geometry;

static const geometry geometries[] = {
    {2, 3, 5, 8, 4, 3, 2, 2, 1}, {1, 1, 4, 4, 1, 1, 1, 1, 0}, {2, 2, 5, 7, 4, 4, 3, 3, 2},
    {3, 2, 6, 5, 2, 2, 3, 1, 0}, {1, 2, 7, 9, 3, 2, 2, 4, 3}, {2, 1, 3, 3, 2, 5, 4, 1, 3},
    {1, 8, 9, 9, 2, 5, 5, 2, 2}, {2, 1, 6, 6, 1, 2, 1, 5, 0},
};

enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

enum { OUT = 3 }; /* behind DX, DW and DB, in loops over what is claimed */

typedef struct {
    layers_question question;
    layers_check *check;
    int output;
} judging;

static size_t windows(size_t length, size_t kernel, const geometry *g) {
    return (length + 2 * g->pad - kernel) / g->stride + 1;
}

/* ---- numbers -----------------------------------------------------------------------------------
 */

typedef enum { USUAL, POSITIVE, CANCELLING, SPARSE, WIDE, FAINT, GREAT, KINDS } kind;

static double number_of(kind kind, int tensor, uint64_t *seed) {
    double x = 2 * uniform(seed) - 1, scale = uniform(seed);
    switch (kind) {
    case POSITIVE:
        return fabs(x) + 0.5;
    case CANCELLING:
        return (scale < 0.5 ? 1e3 : -1e3) + x;
    case SPARSE:
        return scale < 0.9 ? 0 : x;
    case WIDE:
        return x * pow(10, 16 * scale - 8);
    case FAINT: /* squares vanish */
        return tensor == W ? x : x * 1e-170;
    case GREAT: /* squares overflow */
        return tensor == X ? x * 1e170 : x * 1e-170;
    default:
        return x;
    }
}

static layers_tensor tensor_of_kind(layers_dtype dtype, const size_t *shape, int rank, kind kind,
                                    int tensor, uint64_t *seed) {
    layers_tensor made = tensor_make(dtype, shape, rank);
    for (size_t i = 0; i < made.size; i++)
        set_element(&made, i, number_of(kind, tensor, seed));
    return made;
}

/* A call that asks about `output`, OUT or one of backward's. */
static layers_call asked_of(judging *j, const geometry *g, layers_dtype dtype, kind kind,
                            uint64_t seed) {
    const char *operation = j->output == OUT ? "forward" : "backward";
    layers_question_make(&j->question, layers_find("conv", operation));
    layers_call asked = {.operation = &j->question.takes, .dtype = dtype};
    asked.inputs[X] = tensor_of_kind(dtype, SHAPE(g->N, g->C, g->H, g->W), kind, X, &seed);
    asked.inputs[W] = tensor_of_kind(dtype, SHAPE(g->F, g->C, g->R, g->S), kind, W, &seed);
    asked.inputs[B] = tensor_of_kind(dtype, SHAPE(g->F), kind, B, &seed);
    if (j->output != OUT)
        asked.inputs[3] =
            tensor_of_kind(dtype, SHAPE(g->N, g->F, windows(g->H, g->R, g), windows(g->W, g->S, g)),
                           kind, 3, &seed);
    asked.params[STRIDE] = (layers_value){.given = true, .number = (double)g->stride};
    asked.params[PAD] = (layers_value){.given = true, .number = (double)g->pad};
    return asked;
}

static void begin(judging *j, layers_call *asked, layers_dtype precision) {
    layers_error error;
    layers_code code = layers_check_make(&j->check, &j->question, asked, precision, &error);
    cr_assert(code == LAYERS_OK, "%s", error.message);
    code = layers_check_run(j->check, NULL, &error);
    cr_assert(code == LAYERS_OK, "%s", error.message);
    layers_call_clear(asked);
}

static layers_finding judge_tensor(const judging *j, const layers_tensor *claim) {
    layers_finding finding;
    layers_error error;
    const layers_value value = {.tensor = *claim};
    cr_assert(layers_check_judge(j->check, j->output % OUT, &value, NULL, &finding, &error) ==
              LAYERS_OK);
    return finding;
}

static const layers_tensor *right_of(const judging *j) {
    return check_right(j->check, j->output % OUT);
}

static layers_finding judge(const judging *j, const double *values) {
    const layers_tensor *right = right_of(j);
    layers_tensor claim = tensor_of(LAYERS_F64, right->shape, right->rank, values);
    layers_finding finding = judge_tensor(j, &claim);
    layers_tensor_clear(&claim);
    return finding;
}

static double bound_of(const judging *j, size_t i) {
    double bound;
    j->check->answers->bound(j->check, j->output % OUT, i, 1, &bound);
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
    convolution g = convolution_of(j->check);
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
    size_t size = right_of(j)->size;
    double *values = malloc(size * sizeof *values), most = 0;
    for (size_t i = 0; i < size; i++) {
        terms_of(j, i, &t);
        values[i] = sum_of(&t, order, j->check->precision);
        most = fmax(most,
                    fabs(values[i] - check_values(j->check, j->output % OUT)[i]) / bound_of(j, i));
    }
    layers_finding finding = judge(j, values);
    CHECK(finding.verdict != LAYERS_WRONG, "%s: order %d is wrong: %s", what, order, finding.says);
    free(values);
    return most;
}

static void claim_orders(const geometry *g, int output, kind kind, layers_dtype asked,
                         layers_dtype precision) {
    char what[128];
    judging j = {.output = output};
    layers_call call = asked_of(&j, g, asked, kind, 7 * (uint64_t)kind + g->H);
    snprintf(what, sizeof what, "geometry %d, output %d, numbers %d, %s in %s",
             (int)(g - geometries), output, kind, layers_dtype_name(asked),
             layers_dtype_name(precision));
    begin(&j, &call, precision);
    for (int order = 0; order < ORDERS; order++) {
        double most = claim_order(&j, order, what);
        CHECK(most < 0.5, "%s: order %d is %g bounds off", what, order, most);
    }
    layers_check_free(j.check);
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
    convolution g = convolution_of(j->check);
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
            judging j = {.output = output};
            layers_call call = asked_of(&j, &geometries[n], LAYERS_F64, USUAL, n);
            begin(&j, &call, LAYERS_F64);
            convolution g = convolution_of(j.check);
            for (size_t i = 0; i < right_of(&j)->size; i++) {
                terms_of(&j, i, &t);
                size_t k = output == DX ? (size_t)(g.F * g.R * g.S) : t.count;
                double want = sum_bound(j.check, k, norms_product(&j, i, &t),
                                        check_values(j.check, output % OUT)[i]);
                CHECK(is_close(bound_of(&j, i), want, 1e-12, 0),
                      "geometry %zu, output %d, element %zu: %g, not %g", n, output, i,
                      bound_of(&j, i), want);
            }
            layers_check_free(j.check);
        }
}

/* ---- slips -------------------------------------------------------------------------------------
 * Loops as the courses' notes have them, over a padded copy, with a slip at a time. */

typedef struct {
    int64_t front;                 /* rows and columns put in front of x, cut off dx; −1: pad */
    int64_t stride;                /* 0: the stride */
    bool assigns;                  /* dx, dw: = for += */
    bool flips, swaps;             /* the kernel: reversed; r for s */
    bool drops_last;               /* windows */
    bool without_bias, overwrites; /* out; each channel the one before */
} slip;

typedef struct {
    convolution g;
    slip slip;
    int64_t front, stride, height, width; /* of the padded copy */
    double *padded, *out, *dpadded, *dw;
} loops;

static double *padded_at(const loops *l, double *planes, int64_t n, int64_t c, int64_t h,
                         int64_t w) {
    return &planes[((n * l->g.C + c) * l->height + h) * l->width + w];
}

static loops loops_of(const judging *j, slip slip) {
    convolution g = convolution_of(j->check);
    loops l = {.g = g, .slip = slip, .front = slip.front < 0 ? g.pad : slip.front};
    l.stride = slip.stride ? slip.stride : g.stride;
    l.height = g.H + 4 * g.pad + 4;
    l.width = g.W + 4 * g.pad + 4;
    size_t padded = (size_t)(g.N * g.C * l.height * l.width);
    l.padded = calloc(padded, sizeof(double));
    l.dpadded = calloc(padded, sizeof(double));
    l.out = calloc((size_t)(g.N * g.F * g.P * g.Q), sizeof(double));
    l.dw = calloc((size_t)(g.F * g.C * g.R * g.S), sizeof(double));
    for (int64_t i = 0; i < g.N * g.C; i++)
        for (int64_t h = 0; h < g.H; h++)
            memcpy(padded_at(&l, l.padded, 0, i, h + l.front, l.front), g.x + (i * g.H + h) * g.W,
                   (size_t)g.W * sizeof(double));
    return l;
}

static void free_loops(loops *l) {
    free(l->padded);
    free(l->dpadded);
    free(l->out);
    free(l->dw);
}

static void store(double *to, bool assigns, double value) {
    *to = assigns ? value : *to + value;
}

/* One window: its sum, and what its gradient adds. */
static void visit(loops *l, int64_t n, int64_t f, int64_t p, int64_t q) {
    const convolution *g = &l->g;
    double sum = 0, dout = g->backward ? dout_at(g, n, f, p, q) : 0;
    for (int64_t c = 0; c < g->C; c++) {
        if (l->slip.overwrites)
            sum = 0;
        for (int64_t r = 0; r < g->R; r++)
            for (int64_t s = 0; s < g->S; s++) {
                int64_t row = l->slip.swaps ? s : l->slip.flips ? g->R - 1 - r : r;
                int64_t column = l->slip.swaps ? r : l->slip.flips ? g->S - 1 - s : s;
                int64_t h = p * l->stride + r, w = q * l->stride + s;
                double *dw = &l->dw[((f * g->C + c) * g->R + row) * g->S + column];
                sum += *padded_at(l, l->padded, n, c, h, w) * w_at(g, f, c, row, column);
                store(dw, l->slip.assigns, *padded_at(l, l->padded, n, c, h, w) * dout);
                store(padded_at(l, l->dpadded, n, c, h, w), l->slip.assigns,
                      dout * w_at(g, f, c, row, column));
            }
    }
    l->out[((n * g->F + f) * g->P + p) * g->Q + q] = sum + (l->slip.without_bias ? 0 : g->b[f]);
}

static void go(loops *l) {
    const convolution *g = &l->g;
    int64_t less = l->slip.drops_last;
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t f = 0; f < g->F; f++)
            for (int64_t p = 0; p < g->P - less; p++)
                for (int64_t q = 0; q < g->Q - less; q++)
                    visit(l, n, f, p, q);
}

/* What the loops give for what is claimed, in memory of its own. */
static double *result_of(loops *l, int output) {
    const convolution *g = &l->g;
    size_t out = (size_t)(g->N * g->F * g->P * g->Q), dw = (size_t)(g->F * g->C * g->R * g->S);
    size_t count = output == OUT ? out : output == DW ? dw : (size_t)(g->N * g->C * g->H * g->W);
    double *values = malloc(count * sizeof *values);
    if (output != DX)
        return memcpy(values, output == OUT ? l->out : l->dw, count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        place at = place_of(i, g->C, g->H, g->W);
        values[i] = *padded_at(l, l->dpadded, at.a, at.b, at.c + l->front, at.d + l->front);
    }
    return values;
}

/* Without a slip, `want` is NULL. */
static void claim_slip(size_t n, int output, slip slip, const char *want) {
    judging j = {.output = output};
    layers_call call = asked_of(&j, &geometries[n], LAYERS_F64, USUAL, 3);
    begin(&j, &call, LAYERS_F64);
    loops l = loops_of(&j, slip);
    go(&l);
    double *values = result_of(&l, output);
    layers_finding finding = judge(&j, values);
    bool is_mean_too = output != OUT && geometries[n].N == 1;
    layers_verdict verdict = want ? LAYERS_WRONG : is_mean_too ? LAYERS_UNDECIDED : LAYERS_RIGHT;
    CHECK(finding.verdict == verdict, "geometry %zu, output %d, %s: %s (%s)", n, output,
          want ? want : "right", layers_verdict_names[finding.verdict], finding.says);
    CHECK(!want || (finding.fault && !strcmp(finding.fault, want)),
          "geometry %zu, output %d: %s is taken for %s", n, output, want,
          finding.fault ? finding.fault : "nothing known");
    free(values);
    free_loops(&l);
    layers_check_free(j.check);
}

Test(answers_convs, loops_without_a_slip_are_right) {
    for (size_t n = 0; n < GEOMETRIES; n++)
        for (int output = DX; output <= OUT; output++)
            if (output != DB)
                claim_slip(n, output, (slip){.front = -1}, NULL);
}

Test(answers_convs, slips_of_forward_are_told) {
    claim_slip(0, OUT, (slip){.front = -1, .without_bias = true}, "bias_missing");
    claim_slip(0, OUT, (slip){.front = -1, .overwrites = true}, "channels_not_summed");
    claim_slip(0, OUT, (slip){.front = -1, .flips = true}, "flipped");
    claim_slip(6, OUT, (slip){.front = -1, .swaps = true}, "kernel_transposed");
    claim_slip(0, OUT, (slip){.front = 0}, "pad_at_end");
    claim_slip(2, OUT, (slip){.front = 1}, "padding_fixed");
    claim_slip(3, OUT, (slip){.front = 1}, "padding_fixed");
    claim_slip(0, OUT, (slip){.front = -1, .stride = 1}, "stride_ignored");
    claim_slip(0, OUT, (slip){.front = -1, .drops_last = true}, "last_window_missing");
}

Test(answers_convs, slips_of_backward_are_told) {
    for (int output = DX; output <= DW; output++) {
        claim_slip(0, output, (slip){.front = -1, .flips = true}, "flipped");
        claim_slip(6, output, (slip){.front = -1, .swaps = true}, "kernel_transposed");
        claim_slip(2, output, (slip){.front = 1}, "padding_fixed");
        claim_slip(3, output, (slip){.front = 1}, "padding_fixed");
        claim_slip(0, output, (slip){.front = -1, .stride = 1}, "stride_ignored");
    }
    claim_slip(0, DX, (slip){.front = 0}, "padding_not_cut");
    claim_slip(0, DX, (slip){.front = -1, .assigns = true}, "overlap_not_added");
    claim_slip(0, DW, (slip){.front = 0}, "pad_at_end");
    claim_slip(0, DW, (slip){.front = -1, .assigns = true}, "windows_not_summed");
}

/* ---- shapes ------------------------------------------------------------------------------------
 */

static void claim_shape(size_t n, int output, const size_t *shape, int rank, const char *words) {
    judging j = {.output = output};
    layers_call call = asked_of(&j, &geometries[n], LAYERS_F64, USUAL, 3);
    begin(&j, &call, LAYERS_F64);
    layers_tensor claim = tensor_make(LAYERS_F64, shape, rank);
    for (size_t i = 0; i < claim.size; i++)
        set_element(&claim, i, 1);
    layers_finding finding = judge_tensor(&j, &claim);
    CHECK(finding.verdict == LAYERS_WRONG && !strcmp(finding.fault, "shape"), "geometry %zu: %s", n,
          finding.says);
    CHECK(strstr(finding.says, words), "geometry %zu: not \"%s\" but \"%s\"", n, words,
          finding.says);
    layers_tensor_clear(&claim);
    layers_check_free(j.check);
}

Test(answers_convs, other_shapes_are_explained) {
    claim_shape(0, OUT, SHAPE(2, 4, 5, 3), "height and width");
    claim_shape(0, OUT, SHAPE(2, 3, 5, 4), "filters come before");
    claim_shape(0, OUT, SHAPE(2, 4, 2, 4), "not padded");
    claim_shape(4, OUT, SHAPE(1, 3, 2, 3), "padded by 1, whatever pad says");
    claim_shape(0, OUT, SHAPE(2, 4, 5, 9), "stride was left out");
    claim_shape(2, OUT, SHAPE(2, 4, 3, 4), "rounded down");
    claim_shape(3, OUT, SHAPE(3, 2, 4, 2), "one window more");
    claim_shape(3, OUT, SHAPE(3, 2, 6, 5), "still fits");
    claim_shape(0, OUT, SHAPE(2, 4, 3, 3), "height and width were mixed up");
    claim_shape(3, DX, SHAPE(3, 2, 0, 0), "dx is empty because pad is 0");
    claim_shape(3, DX, SHAPE(3, 2, 0), "dx is empty because pad is 0");
    claim_shape(0, DX, SHAPE(2, 3, 7, 10), "to be cut off");
    claim_shape(2, DX, SHAPE(2, 2, 7, 9), "whatever pad says");
    claim_shape(0, DX, SHAPE(2, 3, 8, 5), "height and width");
    claim_shape(0, DW, SHAPE(4, 3, 2, 3), "height and width");
}

/* ---- what is not finite ------------------------------------------------------------------------
 */

/* Sets an input's element, then claims the right answer with one element replaced. */
static layers_verdict claim_beside(size_t n, int output, int input, size_t at, double odd, size_t i,
                                   double value) {
    judging j = {.output = output};
    layers_call call = asked_of(&j, &geometries[n], LAYERS_F64, USUAL, 3);
    set_element(&call.inputs[input], at, odd);
    begin(&j, &call, LAYERS_F64);
    size_t size = right_of(&j)->size;
    double *values = malloc(size * sizeof *values);
    memcpy(values, check_values(j.check, output % OUT), size * sizeof *values);
    values[i] = value;
    layers_verdict verdict = judge(&j, values).verdict;
    free(values);
    layers_check_free(j.check);
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
