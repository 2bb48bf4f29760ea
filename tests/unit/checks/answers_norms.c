/* What is found of answers to the normalisations: those of every honest way to compute them are far
 * within the bound, and each way to normalise wrongly has in backward the gradient of its forward.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers/normalised.h"
#include "common/check.h"
#include "unit/calls.h"

TestSuite(answers_norms);

enum { MOST = 1024 }; /* elements */

typedef struct {
    const char *layer;
    size_t shape[4];
    int rank;
    double groups; /* 0 for none */
    int mode;      /* of the batchnorms */
} sample;

static const sample samples[] = {
    {"batchnorm", {7, 5}, 2, 0, TRAIN},
    {"batchnorm", {1, 4}, 2, 0, TRAIN},
    {"batchnorm", {400, 2}, 2, 0, TRAIN},
    {"batchnorm", {6, 70}, 2, 0, TRAIN},
    {"batchnorm", {6, 5}, 2, 0, TEST},
    {"layernorm", {5, 7}, 2, 0, TRAIN},
    {"layernorm", {4, 1}, 2, 0, TRAIN},
    {"layernorm", {2, 300}, 2, 0, TRAIN},
    {"spatial_batchnorm", {3, 4, 5, 2}, 4, 0, TRAIN},
    {"spatial_batchnorm", {2, 3, 1, 1}, 4, 0, TRAIN},
    {"spatial_batchnorm", {2, 3, 5, 13}, 4, 0, TEST},
    {"spatial_groupnorm", {4, 6, 3, 2}, 4, 3, TRAIN},
    {"spatial_groupnorm", {2, 4, 1, 1}, 4, 4, TRAIN},
    {"spatial_groupnorm", {2, 4, 3, 23}, 4, 2, TRAIN},
};

#define EACH_SAMPLE(s)                                                                             \
    for (const sample *s = samples; s < samples + sizeof samples / sizeof *samples; s++)

static bool is_batch(const sample *s) {
    return strstr(s->layer, "batchnorm");
}

/* ---- checks ------------------------------------------------------------------------------------
 */

typedef enum { NORMAL, OFF, TEN_THOUSAND, TINY, SMALL, WIDE, EQUAL, KINDS } kind;

static double normal(uint64_t *seed) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(seed);
    return sum;
}

static double number_of(kind kind, uint64_t *seed) {
    double x = normal(seed);
    switch (kind) {
    case OFF:
        return 3 + x;
    case TEN_THOUSAND:
        return 1e4 + x;
    case TINY: /* its squares vanish in float32 */
        return 1e-25 * x;
    case SMALL: /* of about eps */
        return 3e-3 * x;
    case WIDE:
        return x * pow(10, 6 * uniform(seed) - 3);
    case EQUAL:
        return 3e16;
    default:
        return x;
    }
}

typedef struct {
    layers_question question;
    layers_check *check;
    char name[96];
} judging;

static layers_tensor many(layers_dtype dtype, const size_t *shape, int rank, kind kind,
                          uint64_t *seed) {
    layers_tensor tensor = tensor_make(dtype, shape, rank);
    for (size_t i = 0; i < tensor.size; i++)
        set_element(&tensor, i, number_of(kind, seed));
    return tensor;
}

static layers_call asked_of(judging *j, const sample *s, const char *operation, layers_dtype dtype,
                            kind kind, uint64_t seed) {
    layers_question_make(&j->question, layers_find(s->layer, operation));
    layers_call asked = {.operation = &j->question.takes, .dtype = dtype};
    asked.inputs[0] = many(dtype, s->shape, s->rank, kind, &seed);
    asked.inputs[1] = many(dtype, SHAPE(s->shape[1]), NORMAL, &seed);
    asked.inputs[2] = many(dtype, SHAPE(s->shape[1]), NORMAL, &seed);
    if (!strcmp(operation, "backward"))
        asked.inputs[3] = many(dtype, s->shape, s->rank, NORMAL, &seed);
    if (s->groups > 0)
        asked.params[0] = (layers_value){.given = true, .number = s->groups};
    if (!is_batch(s))
        return asked;
    asked.params[MODE] = (layers_value){.given = true, .choice = s->mode};
    asked.params[RUNNING_MEAN].tensor = many(dtype, SHAPE(s->shape[1]), kind, &seed);
    asked.params[RUNNING_VAR].tensor = tensor_random(dtype, SHAPE(s->shape[1]), &seed, 0.25, 2);
    asked.params[RUNNING_MEAN].given = asked.params[RUNNING_VAR].given = true;
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

static layers_finding judge(const judging *j, int output, const double *values) {
    const layers_tensor *right = check_right(j->check, output);
    const layers_value value = {.tensor = tensor_of(LAYERS_F64, right->shape, right->rank, values)};
    layers_tensor claim = value.tensor;
    layers_finding finding;
    layers_error error;
    cr_assert(layers_check_judge(j->check, output, &value, NULL, &finding, &error) == LAYERS_OK);
    layers_tensor_clear(&claim);
    return finding;
}

/* ---- honest ways to compute --------------------------------------------------------------------
 */

/* Each result is rounded to float32 where `narrow`: one operation in double, rounded, is the
 * operation in float (Figueroa, "When is double rounding innocuous?", 1995). */
static double round_to(bool narrow, double x) {
    return narrow ? (float)x : x;
}

#define R(x) round_to(w->narrow, (x))

enum { IN_ORDER, REVERSED, PAIRWISE, ORDERS };
enum { TWO_PASS, ONE_PASS, WELFORD, STATISTICS };
enum { BY_DEVIATION, TIMES_INVERSE, FOLDED, FORMS };
enum { CLOSED, STAGED, MEANS, GRADIENTS };

typedef struct {
    bool narrow;
    int order, statistics, form;
} way;

static double sum_pairs(const way *w, const double *x, size_t count) {
    if (count <= 2)
        return count == 2 ? R(x[0] + x[1]) : count ? x[0] : 0;
    return R(sum_pairs(w, x, count / 2) + sum_pairs(w, x + count / 2, count - count / 2));
}

static double sum_of(const way *w, const double *x, size_t count) {
    double sum = 0;
    if (w->order == PAIRWISE)
        return sum_pairs(w, x, count);
    for (size_t i = 0; i < count; i++)
        sum = R(sum + x[w->order == REVERSED ? count - 1 - i : i]);
    return sum;
}

typedef struct {
    double mean, variance;
} pair;

static pair welford(const way *w, const double *x, size_t count) {
    pair p = {0, 0};
    for (size_t i = 0; i < count; i++) {
        double d = R(x[i] - p.mean);
        p.mean = R(p.mean + R(d / (double)(i + 1)));
        p.variance = R(p.variance + R(d * R(x[i] - p.mean)));
    }
    p.variance = R(p.variance / (double)count);
    return p;
}

static pair statistics_of(const way *w, const double *x, size_t count) {
    static double squares[MOST];
    if (w->statistics == WELFORD)
        return welford(w, x, count);
    pair p = {.mean = R(sum_of(w, x, count) / (double)count)};
    bool one = w->statistics == ONE_PASS;
    for (size_t i = 0; i < count; i++) {
        double d = one ? x[i] : R(x[i] - p.mean);
        squares[i] = R(d * d);
    }
    p.variance = R(sum_of(w, squares, count) / (double)count);
    if (one)
        p.variance = R(p.variance - R(p.mean * p.mean));
    return p;
}

/* Whether squares keep enough of the variance of a set, as normalised.c says. */
static bool is_sane(const way *w, const double *x, size_t count, double eps) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        mean += x[i] / (double)count;
        squares += x[i] * x[i] / (double)count;
    }
    double unit = w->narrow ? 0x1p-24 : 0x1p-53, v = fabs(squares - mean * mean) + eps;
    return ((double)count + 10) * unit * (1 + squares / v) <= 0x1p-13;
}

/* What a way makes of one set, and the members of it by their places. */
typedef struct {
    size_t place[MOST], count;
    double x[MOST];
    pair p;
    double s, inv;
} members;

static void members_find(const normalised *n, const way *w, size_t set, members *m) {
    m->count = 0;
    for (size_t i = 0; i < n->size; i++)
        if (set_of(&n->sets, i) == set) {
            m->x[m->count] = R(n->x[i]);
            m->place[m->count++] = i;
        }
}

/* False where the way is none for these numbers. */
static bool set_make(const normalised *n, const way *w, size_t set, members *m) {
    members_find(n, w, set, m);
    if (n->fixed)
        m->p = (pair){R(check_before(n->check, RUNNING_MEAN)[set]),
                      R(check_before(n->check, RUNNING_VAR)[set])};
    else if (w->statistics == ONE_PASS && !is_sane(w, m->x, m->count, n->eps))
        return false;
    else
        m->p = statistics_of(w, m->x, m->count);
    m->s = R(sqrt(R(m->p.variance + R(n->eps))));
    m->inv = R(1 / m->s);
    return true;
}

static double xhat_of(const way *w, const members *m, size_t i) {
    double d = R(m->x[i] - m->p.mean);
    return w->form == BY_DEVIATION ? R(d / m->s) : R(d * m->inv);
}

static void forward_set(const normalised *n, const way *w, const members *m, double *out) {
    for (size_t i = 0; i < m->count; i++) {
        size_t c = scale_of(&n->scales, m->place[i]);
        double gamma = R(n->gamma[c]), beta = R(n->beta[c]);
        if (w->form == FOLDED) {
            double scale = R(gamma * m->inv);
            out[m->place[i]] = R(R(m->x[i] * scale) + R(beta - R(m->p.mean * scale)));
        } else {
            out[m->place[i]] = R(R(gamma * xhat_of(w, m, i)) + beta);
        }
    }
}

static void backward_set(const normalised *n, const way *w, int gradient, const members *m,
                         double *dx, double *products) {
    static double g[MOST], gd[MOST], minus[MOST];
    double count = (double)m->count;
    for (size_t i = 0; i < m->count; i++) {
        double dout = R(n->dout[m->place[i]]), xhat = xhat_of(w, m, i);
        g[i] = R(dout * R(n->gamma[scale_of(&n->scales, m->place[i])]));
        gd[i] = R(g[i] * (gradient == STAGED ? R(m->x[i] - m->p.mean) : xhat));
        minus[i] = R(-2 * R(m->x[i] - m->p.mean));
        products[m->place[i]] = R(dout * xhat);
    }
    double sum = sum_of(w, g, m->count), sum_gd = sum_of(w, gd, m->count);
    double cube = R(m->inv * R(m->inv * m->inv)), dv = R(R(-0.5 * sum_gd) * cube);
    double dmean = R(R(-sum * m->inv) + R(R(dv * sum_of(w, minus, m->count)) / count));
    for (size_t i = 0; i < m->count; i++) {
        double *to = &dx[m->place[i]], xhat = xhat_of(w, m, i), d = R(m->x[i] - m->p.mean);
        if (n->fixed)
            *to = R(g[i] * m->inv);
        else if (gradient == CLOSED)
            *to = R(R(m->inv / count) * R(R(R(count * g[i]) - sum) - R(xhat * sum_gd)));
        else if (gradient == STAGED)
            *to = R(R(R(g[i] * m->inv) + R(R(dv * 2) * R(d / count))) + R(dmean / count));
        else
            *to = R(R(R(g[i] - R(sum / count)) - R(xhat * R(sum_gd / count))) * m->inv);
    }
}

static void sums_of_scales(const normalised *n, const way *w, const double *terms, double *sums) {
    static double of_one[MOST];
    for (size_t c = 0; c < n->scales.count; c++) {
        size_t count = 0;
        for (size_t i = 0; i < n->size; i++)
            if (scale_of(&n->scales, i) == c)
                of_one[count++] = terms[i];
        sums[c] = sum_of(w, of_one, count);
    }
}

/* ---- are found within half of the bound --------------------------------------------------------
 */

static void expect_near(const judging *j, int output, const way *w, const double *values) {
    layers_finding f = judge(j, output, values);
    CHECK(
        f.verdict != LAYERS_WRONG && !(f.error > f.bound / 2),
        "%s, output %d, order %d, statistics %d, form %d: %s, %.3g of the bound at %zu (%.17g for "
        "%.17g)",
        j->name, output, w->order, w->statistics, w->form, layers_verdict_names[f.verdict],
        f.error / f.bound, f.at, f.claimed, f.expected);
}

static void expect_running(const judging *j, const normalised *n, const way *w, const pair *of) {
    for (int i = RUNNING_MEAN; i <= RUNNING_VAR; i++) {
        double values[MOST], m = check_number(j->check, MOMENTUM);
        for (size_t k = 0; k < n->scales.count; k++) {
            double old = R(check_before(j->check, i)[k]);
            double sample = i == RUNNING_MEAN ? of[k].mean : of[k].variance;
            values[k] = n->fixed ? old : R(R(R(m) * old) + R(R(1 - R(m)) * sample));
        }
        expect_near(j, CLAIM_PARAM(i), w, values);
    }
}

static void try_forward(const judging *j, const sample *s, const way *w) {
    static double out[MOST];
    static pair of[MOST];
    static members m;
    normalised n = normalised_of(j->check);
    for (size_t k = 0; k < sets_of(&n.sets); k++) {
        if (!set_make(&n, w, k, &m))
            return;
        of[k] = m.p;
        forward_set(&n, w, &m, out);
    }
    expect_near(j, 0, w, out);
    if (is_batch(s))
        expect_running(j, &n, w, of);
}

static void try_backward(const judging *j, const way *w) {
    static double dx[MOST], products[MOST], douts[MOST], sums[MOST];
    static members m;
    normalised n = normalised_of(j->check);
    for (int gradient = 0; gradient < GRADIENTS; gradient++) {
        for (size_t k = 0; k < sets_of(&n.sets); k++) {
            if (!set_make(&n, w, k, &m))
                return;
            backward_set(&n, w, gradient, &m, dx, products);
        }
        expect_near(j, NORMALISED_DX, w, dx);
    }
    for (size_t i = 0; i < n.size; i++)
        douts[i] = R(n.dout[i]);
    sums_of_scales(&n, w, products, sums);
    expect_near(j, NORMALISED_DGAMMA, w, sums);
    sums_of_scales(&n, w, douts, sums);
    expect_near(j, NORMALISED_DBETA, w, sums);
}

static void try_ways(const judging *j, const sample *s, bool forward) {
    way w = {.narrow = j->check->precision == LAYERS_F32};
    for (w.order = 0; w.order < ORDERS; w.order++)
        for (w.statistics = 0; w.statistics < STATISTICS; w.statistics++)
            for (w.form = 0; w.form < (forward ? FORMS : FOLDED); w.form++)
                if (forward)
                    try_forward(j, s, &w);
                else
                    try_backward(j, &w);
}

static void try_sample(const sample *s, bool forward, layers_dtype dtype, layers_dtype precision) {
    const char *operation = forward ? "forward" : "backward";
    for (kind kind = 0; kind < KINDS; kind++)
        for (uint64_t seed = 1; seed < 3; seed++) {
            judging j;
            layers_call asked = asked_of(&j, s, operation, dtype, kind, seed);
            snprintf(j.name, sizeof j.name, "%s/%s (%zu, %zu ...), %s for %s, kind %d", s->layer,
                     operation, s->shape[0], s->shape[1], layers_dtype_name(precision),
                     layers_dtype_name(dtype), kind);
            begin(&j, &asked, precision);
            try_ways(&j, s, forward);
            layers_check_free(j.check);
        }
}

Test(answers_norms, every_honest_way_is_within_half_of_the_bound) {
    EACH_SAMPLE(s) for (int forward = 0; forward < 2; forward++) {
        try_sample(s, forward, LAYERS_F64, LAYERS_F64);
        try_sample(s, forward, LAYERS_F32, LAYERS_F32);
        try_sample(s, forward, LAYERS_F64, LAYERS_F32);
    }
}
