/* What is right and wrong of svm and softmax: honest ways to compute them stay far within the
 * bound, in both precisions and of all kinds of scores; margins at their kink, probabilities of 0
 * and classes that are not there are judged as they should be. */
#include <math.h>
#include <string.h>

#include "checks.h"

TestSuite(answers_losses);

enum { MOST = 600 }; /* scores */

static layers_dtype precision; /* of what is computed */

static double r(double number) {
    return rounded(precision, number);
}

typedef struct {
    size_t N, C;
    double x[MOST];
    int64_t y[MOST];
} scores;

/* Loss and gradient, as they were computed. */
typedef struct {
    double loss, dx[MOST];
} result;

/* Kinds of scores: how far they are spread, and how far from 0 their rows are. */
static const struct {
    size_t N, C;
    double spread, offset;
} kinds[] = {{5, 4, 1, 0},     {1, 10, 3, 0},  {100, 5, 1, 0},  {5, 100, 1, 0},   {6, 7, 1e-6, 0},
             {20, 10, 20, 0},  {8, 6, 60, 0},  {6, 5, 2, 900},  {7, 3, 1e-3, 50}, {4, 8, 300, 0},
             {30, 20, 5, 1e4}, {12, 2, 10, 0}, {10, 60, 0.1, 3}};

#define KINDS (sizeof kinds / sizeof *kinds)

static scores scores_of(size_t kind, uint64_t *seed) {
    scores s = {.N = kinds[kind].N, .C = kinds[kind].C};
    for (size_t n = 0; n < s.N; n++) {
        double offset = (uniform(seed) * 2 - 1) * kinds[kind].offset;
        s.y[n] = (int64_t)(uniform(seed) * (double)s.C);
        for (size_t j = 0; j < s.C; j++)
            s.x[n * s.C + j] = offset + (uniform(seed) * 2 - 1) * kinds[kind].spread;
    }
    return s;
}

static void ask_loss(asking *a, const char *layer, const scores *s, precisions of) {
    ask(a, layer, "loss", of.dtype);
    give_values(a, "x", SHAPE(s->N, s->C), s->x);
    give_labels(a, "y", s->N, s->y);
    answer(a, of.precision);
}

static void assert_within(const asking *a, const result *result, size_t kind, int way) {
    double loss = worst_of(a, "loss", &result->loss), dx = worst_of(a, "dx", result->dx);
    CHECK(loss < 0.5 && dx < 0.5, "%s, kind %zu, way %d, in %s: loss is %.3g bounds off, dx %.3g",
          a->question.operation->layer, kind, way, layers_dtype_name(precision), loss, dx);
}

/* The sum of `count` numbers: forward, backward, in pairs. */
static double sum(const double *number, size_t count, int way) {
    if (way % 3 == 2 && count > 1)
        return r(sum(number, count / 2, way) + sum(number + count / 2, count - count / 2, way));
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total = r(total + number[way % 3 ? count - 1 - i : i]);
    return total;
}

/* Their mean: of the sum, or of shares. */
static double mean(double *number, size_t count, int way) {
    if (way % 2 == 0)
        return r(sum(number, count, way) / (double)count);
    double share = r(1 / (double)count);
    for (size_t i = 0; i < count; i++)
        number[i] = r(number[i] * share);
    return sum(number, count, way);
}

/* ---- softmax -----------------------------------------------------------------------------------
 */

enum { BY_QUOTIENT, BY_LOG_SUM, BY_LOGARITHMS, SOFTMAXES };

/* One row's loss, and its probabilities. */
static double softmax_row(size_t C, const double *x, size_t label, int way, double *p) {
    double z[MOST], largest = x[0];
    for (size_t j = 1; j < C; j++)
        largest = fmax(largest, x[j]);
    for (size_t j = 0; j < C; j++) {
        z[j] = r(x[j] - largest);
        p[j] = r(exp(z[j]));
    }
    double total = sum(p, C, way / SOFTMAXES), log_total = r(log(total));
    switch (way % SOFTMAXES) {
    case BY_QUOTIENT:
        for (size_t j = 0; j < C; j++)
            p[j] = r(p[j] / total);
        return r(log_total - z[label]);
    case BY_LOG_SUM:
        log_total = r(largest + log_total);
        for (size_t j = 0; j < C; j++)
            p[j] = r(exp(r(x[j] - log_total)));
        return r(log_total - x[label]);
    default:
        for (size_t j = 0; j < C; j++)
            p[j] = r(exp(r(z[j] - log_total)));
        return -r(z[label] - log_total);
    }
}

static void softmax_of(const scores *s, int way, result *to) {
    double x[MOST], loss[MOST], N = (double)s->N;
    for (size_t i = 0; i < s->N * s->C; i++)
        x[i] = r(s->x[i]);
    for (size_t n = 0; n < s->N; n++) {
        size_t label = (size_t)s->y[n];
        double *dx = to->dx + n * s->C;
        loss[n] = softmax_row(s->C, x + n * s->C, label, way, dx);
        dx[label] = r(dx[label] - 1);
        for (size_t j = 0; j < s->C; j++)
            dx[j] = way % 2 ? r(dx[j] * r(1 / N)) : r(dx[j] / N);
    }
    to->loss = mean(loss, s->N, way);
}

Test(answers_losses, honest_softmaxes_are_right) {
    uint64_t seed = 1;
    for (size_t p = 0; p < PRECISIONS; p++)
        for (size_t i = 0; i < 4 * KINDS; i++) {
            asking a;
            scores s = scores_of(i % KINDS, &seed);
            precision = precisions_of[p].precision;
            ask_loss(&a, "softmax", &s, precisions_of[p]);
            for (int way = 0; way < 6 * SOFTMAXES; way++) {
                result to;
                softmax_of(&s, way, &to);
                assert_within(&a, &to, i % KINDS, way);
            }
            drop_asked(&a);
        }
}

/* ---- svm ---------------------------------------------------------------------------------------
 */

enum { SCORES_FIRST, OWN_FIRST, RIGHT_FIRST, MARGINS };

static double margin(double x, double right, int way) {
    return way % MARGINS == SCORES_FIRST ? r(r(x - right) + 1)
           : way % MARGINS == OWN_FIRST  ? r(r(x + 1) - right)
                                         : r(x - r(right - 1));
}

static void svm_of(const scores *s, int way, result *to) {
    double margins[MOST] = {0}, share = r(1 / (double)s->N);
    memset(to->dx, 0, sizeof to->dx);
    for (size_t n = 0; n < s->N; n++) {
        size_t own = n * s->C + (size_t)s->y[n];
        for (size_t i = n * s->C; i < (n + 1) * s->C; i++) {
            double over = i == own ? 0 : margin(r(s->x[i]), r(s->x[own]), way);
            if (over <= 0)
                continue;
            margins[i] = over;
            to->dx[i] = way % 2 ? 1 : share;
            to->dx[own] = way % 2 ? to->dx[own] - 1 : r(to->dx[own] - share);
        }
    }
    for (size_t i = 0; i < s->N * s->C && way % 2; i++)
        to->dx[i] = r(to->dx[i] / (double)s->N);
    to->loss = r(sum(margins, s->N * s->C, way) / (double)s->N);
}

Test(answers_losses, honest_hinges_are_right) {
    uint64_t seed = 2;
    for (size_t p = 0; p < PRECISIONS; p++)
        for (size_t i = 0; i < 4 * KINDS; i++) {
            asking a;
            scores s = scores_of(i % KINDS, &seed);
            precision = precisions_of[p].precision;
            ask_loss(&a, "svm", &s, precisions_of[p]);
            for (int way = 0; way < 6 * MARGINS; way++) {
                result to;
                svm_of(&s, way, &to);
                assert_within(&a, &to, i % KINDS, way);
            }
            drop_asked(&a);
        }
}

/* 0.1 − 1.1 + 1 may come out as 0, and need not. */
Test(answers_losses, a_margin_at_its_kink_may_count_or_not) {
    asking a;
    scores s = {.N = 2, .C = 3, .x = {0.1, 1.1, 3, -2, 5, 5.5}, .y = {1, 1}};
    ask_loss(&a, "svm", &s, precisions_of[0]);
    assert_found(&a, "dx", VALUES(0, -0.5, 0.5, 0, -0.5, 0.5), LAYERS_UNDECIDED, NULL);
    assert_found(&a, "dx", VALUES(0.5, -1, 0.5, 0, -0.5, 0.5), LAYERS_UNDECIDED, NULL);
    CHECK_EQUAL(finding_of(&a, "dx", VALUES(0, -0.5, 0.5, 0, -0.25, 0.5)).verdict, LAYERS_WRONG);
    CHECK_EQUAL(finding_of(&a, "dx", VALUES(0, -1.5, 0.5, 0, -0.5, 0.5)).verdict, LAYERS_WRONG);
    drop_asked(&a);
}

/* 1 − 2 + 1 is 0 in any order. */
Test(answers_losses, a_margin_of_whole_numbers_is_not_in_doubt) {
    for (int p = 0; p < PRECISIONS; p++) {
        asking a;
        scores s = {.N = 2, .C = 3, .x = {1, 2, 3, -2, 5, 5.5}, .y = {1, 1}};
        ask_loss(&a, "svm", &s, precisions_of[p]);
        assert_found(&a, "dx", VALUES(0, -0.5, 0.5, 0, -0.5, 0.5), LAYERS_RIGHT, NULL);
        assert_found(&a, "dx", VALUES(0.5, -1, 0.5, 0, -0.5, 0.5), LAYERS_WRONG, NULL);
        drop_asked(&a);
    }
}

Test(answers_losses, a_loss_of_0_is_0) {
    asking a;
    scores s = {.N = 2, .C = 2, .x = {3, 1, 0, 5}, .y = {0, 1}};
    ask_loss(&a, "svm", &s, precisions_of[1]);
    assert_found(&a, "loss", VALUES(1e-9), LAYERS_WRONG, NULL);
    CHECK(worst_of(&a, "loss", VALUES(0)) == 0, "0 is off");
    drop_asked(&a);
}

/* ---- what is told apart ------------------------------------------------------------------------
 */

static const scores three = {.N = 2, .C = 3, .x = {1, 2.5, -1.5, 4, 3.5, 3.25}, .y = {0, 2}};

/* Margins: 2.5 and −1.5; 1.75 and 1.25. */
Test(answers_losses, faults_of_svm_are_named) {
    asking a;
    ask_loss(&a, "svm", &three, precisions_of[0]);
    assert_found(&a, "loss", VALUES(2.75), LAYERS_RIGHT, NULL);
    assert_found(&a, "loss", VALUES(5.5), LAYERS_WRONG, "sum_not_mean");
    assert_found(&a, "loss", VALUES(3.75), LAYERS_WRONG, "true_class_counted");
    assert_found(&a, "loss", VALUES(1.25), LAYERS_WRONG, "margin_missing");
    assert_found(&a, "loss", VALUES(2), LAYERS_WRONG, "not_clamped");
    assert_found(&a, "loss", VALUES(2.75 / 3), LAYERS_WRONG, "averaged_over_classes");
    assert_found(&a, "loss", VALUES(2.125), LAYERS_WRONG, "largest_rival_only");
    assert_found(&a, "loss", VALUES(5.4375), LAYERS_WRONG, "squared");
    assert_found(&a, "dx", VALUES(-0.5, 0.5, 0, 0.5, 0.5, -1), LAYERS_RIGHT, NULL);
    assert_found(&a, "dx", VALUES(0, 0.5, 0, 0.5, 0.5, 0), LAYERS_WRONG, "one_hot_missing");
    assert_found(&a, "dx", VALUES(0.5, 0.5, 0, 0.5, 0.5, 0.5), LAYERS_WRONG, "one_hot_missing");
    assert_found(&a, "dx", VALUES(-1, 0.5, 0, 0.5, 0.5, -1.5), LAYERS_WRONG, "true_class_counted");
    assert_found(&a, "dx", VALUES(-0.5, 0.5, 0, 0.5, 0, -0.5), LAYERS_WRONG, "largest_rival_only");
    assert_found(&a, "dx", VALUES(-0.5, 0.5, 0, 0.5, 0.5, -0.5), LAYERS_WRONG, "count_missing");
    assert_found(&a, "dx", VALUES(0.5, -0.5, 0, -0.5, -0.5, 1), LAYERS_WRONG, "gradient_sign");
    drop_asked(&a);
}

Test(answers_losses, faults_of_softmax_are_named) {
    asking a;
    double first = exp(1) + exp(2.5) + exp(-1.5), second = exp(4) + exp(3.5) + exp(3.25);
    double p[] = {exp(1) / first, exp(3.25) / second};
    ask_loss(&a, "softmax", &three, precisions_of[0]);
    double right = -(log(p[0]) + log(p[1])) / 2;
    assert_found(&a, "loss", &right, LAYERS_RIGHT, NULL);
    assert_found(&a, "loss", VALUES(2 * right), LAYERS_WRONG, "sum_not_mean");
    assert_found(&a, "loss", VALUES(right / 3), LAYERS_WRONG, "averaged_over_classes");
    assert_found(&a, "loss", VALUES(-right), LAYERS_WRONG, "loss_negated");
    assert_found(&a, "loss", VALUES(-(log(p[0] + 1e-7) + log(p[1] + 1e-7)) / 2), LAYERS_WRONG,
                 "constant_in_log");
    assert_found(&a, "dx",
                 VALUES(p[0] / 2, exp(2.5) / first / 2, exp(-1.5) / first / 2, exp(4) / second / 2,
                        exp(3.5) / second / 2, p[1] / 2),
                 LAYERS_WRONG, "one_hot_missing");
    assert_found(&a, "dx", VALUES(-0.5 / p[0], 0, 0, 0, 0, -0.5 / p[1]), LAYERS_WRONG,
                 "gradient_of_probabilities");
    assert_found(&a, "dx", VALUES((p[0] - 1) / 2, 0, 0, 0, 0, (p[1] - 1) / 2), LAYERS_WRONG,
                 "cross_terms_missing");
    drop_asked(&a);
    scores s = {.N = 2, .C = 2, .x = {0, 250, 0, 1}, .y = {0, 1}};
    ask_loss(&a, "softmax", &s, precisions_of[0]);
    assert_found(&a, "loss", VALUES((250 + log1p(exp(-1))) / 2), LAYERS_RIGHT, NULL);
    assert_found(&a, "loss", VALUES((-log(1e-12) + log1p(exp(-1))) / 2), LAYERS_WRONG,
                 "constant_in_log");
    drop_asked(&a);
}

Test(answers_losses, overflow_is_told_and_a_probability_of_0_is_a_convention) {
    asking far, wide;
    scores s = {.N = 2, .C = 2, .x = {1000, 1001, -900, -901}, .y = {0, 0}};
    ask_loss(&far, "softmax", &s, precisions_of[0]);
    assert_found(&far, "loss", VALUES(NAN), LAYERS_WRONG, "not_shifted");
    assert_found(&far, "dx", VALUES(NAN, NAN, NAN, NAN), LAYERS_WRONG, "not_shifted");
    drop_asked(&far);
    scores t = {.N = 2, .C = 2, .x = {0, 1000, 3, 2}, .y = {0, 0}};
    ask_loss(&wide, "softmax", &t, precisions_of[0]);
    assert_found(&wide, "loss", right_of(&wide, "loss"), LAYERS_RIGHT, NULL);
    assert_found(&wide, "loss", VALUES(INFINITY), LAYERS_UNDECIDED, "log_of_softmax");
    assert_found(&wide, "loss", VALUES(NAN), LAYERS_WRONG, "not_shifted"); /* by 1000 in each row */
    assert_found(&wide, "loss", VALUES(-INFINITY), LAYERS_WRONG, "not_shifted"); /* as logarithms */
    assert_found(&wide, "dx", VALUES(-0.5, 0.5, NAN, NAN), LAYERS_WRONG, "not_shifted");
    assert_found(&wide, "dx", VALUES(NAN, NAN, NAN, NAN), LAYERS_WRONG, "not_finite");
    assert_found(&wide, "loss", VALUES(200), LAYERS_WRONG, NULL);
    drop_asked(&wide);
}

Test(answers_losses, classes_that_are_not_there_are_undecided) {
    asking off, on;
    scores s = {.N = 2, .C = 3, .x = {1, -INFINITY, 2, 1, 2, 3}, .y = {0, 0}};
    ask_loss(&off, "softmax", &s, precisions_of[0]);
    assert_found(&off, "loss", VALUES(NAN), LAYERS_UNDECIDED, NULL);
    assert_found(&off, "dx", right_of(&off, "dx"), LAYERS_UNDECIDED, NULL);
    CHECK(finding_of(&off, "loss", right_of(&off, "loss")).says[0], "no words");
    drop_asked(&off);
    s.y[0] = 1;
    ask_loss(&on, "softmax", &s, precisions_of[0]);
    assert_found(&on, "loss", VALUES(INFINITY), LAYERS_UNDECIDED, NULL); /* a sum is, too */
    assert_found(&on, "loss", VALUES(2), LAYERS_WRONG, NULL);
    drop_asked(&on);
}

Test(answers_losses, scores_without_end_are_judged_by_kind) {
    for (int p = 0; p < PRECISIONS; p++) {
        asking a;
        scores s = {.N = 2, .C = 3, .x = {1, INFINITY, 2, 1, 3, 2.5}, .y = {0, 0}};
        ask_loss(&a, "svm", &s, precisions_of[p]);
        assert_found(&a, "loss", VALUES(2), LAYERS_WRONG, NULL);
        assert_found(&a, "dx", VALUES(-1, 0.5, 0.5, -1, 0.5, 0.5), LAYERS_RIGHT, NULL);
        CHECK(worst_of(&a, "loss", VALUES(2)) > 1 && isinf(*right_of(&a, "loss")), "it has an end");
        drop_asked(&a);
        ask_loss(&a, "softmax", &s, precisions_of[p]);
        assert_found(&a, "loss", VALUES(2), LAYERS_WRONG, NULL);
        CHECK_EQUAL(finding_of(&a, "dx", right_of(&a, "dx")).verdict, LAYERS_RIGHT);
        drop_asked(&a);
    }
}
