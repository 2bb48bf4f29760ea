/* What right and wrong answers to softmax look like.
 *
 * With z = x − max of the row, a probability p = exp(z) / Σ exp(z) loses |z| units by the rounding
 * of z, a = Σ p|z| by that of the others, and one for each term of the sum; three times |z| where
 * it is taken back from its logarithm. Where logsumexp(x) is taken of the scores as they are, the
 * row's maximum is rounded too. (Blanchard, Higham and Higham, "Accurately computing the
 * log-sum-exp and softmax functions", IMA J. Numer. Anal. 41, 2021.) */
#include <math.h>

#include "blocks.h"
#include "checks/check.h"
#include "kernel.h"
#include "loss.h"

typedef struct {
    size_t N, C;
    const double *x;
    const int64_t *y;
} scores;

static scores scores_of(const layers_check *check) {
    return (scores){check_length(check, 'N'), check_length(check, 'C'), check_input(check, LOSS_X),
                    check->forward.inputs[LOSS_Y].data};
}

/* Of one row, in the notes: its largest score, Σ exp(z), and units that every element loses. */
typedef struct {
    double largest, sum, units;
} row;

/* In front of them stands how far the loss may be off. */
static row *rows_of(const layers_check *check) {
    return (row *)(check->notes + 1);
}

static size_t notes(const layers_check *check) {
    return 1 + check_length(check, 'N') * (sizeof(row) / sizeof(double));
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

/* log Σ exp(z) − z_y: the loss of a row. */
static double loss_of(const scores *s, const row *r, size_t n) {
    return log(r->sum) - (s->x[n * s->C + (size_t)s->y[n]] - r->largest);
}

enum { ABREAST = 8 }; /* numbers at once, for vector registers */

KERNEL double largest_of(size_t count, const double *x) {
    double most[ABREAST], largest = x[0];
    size_t j = 0;
    for (size_t l = 0; l < ABREAST; l++)
        most[l] = x[0];
    for (; j + ABREAST <= count; j += ABREAST)
        for (size_t l = 0; l < ABREAST; l++)
            most[l] = x[j + l] > most[l] ? x[j + l] : most[l];
    for (; j < count; j++)
        largest = x[j] > largest ? x[j] : largest;
    for (size_t l = 0; l < ABREAST; l++)
        largest = most[l] > largest ? most[l] : largest;
    return largest;
}

/* Σ p|z| over classes whose p · share is dx; where p is 0, z may be −inf. */
KERNEL double weighed(size_t count, const double *x, double largest, double N, const double *dx) {
    double lane[ABREAST] = {0}, sum = 0;
    size_t j = 0;
    for (; j + ABREAST <= count; j += ABREAST)
        for (size_t l = 0; l < ABREAST; l++)
            lane[l] += dx[j + l] == 0 ? 0 : fabs(x[j + l] - largest) * dx[j + l];
    for (; j < count; j++)
        sum += dx[j] == 0 ? 0 : fabs(x[j] - largest) * dx[j];
    for (size_t l = 0; l < ABREAST; l++)
        sum += lane[l];
    return sum * N;
}

/* Σ exp(z), which is 1 over the probability of the largest score. The probabilities are N · dx, but
 * for the label's, which lacks 1. */
static double sum_of(const scores *s, size_t n, double largest, const double *dx) {
    const double *x = s->x + n * s->C;
    size_t j = (size_t)s->y[n];
    bool label = x[j] == largest;
    for (j = label ? j : 0; j + 1 < s->C && x[j] != largest;)
        j++;
    return 1 / ((double)s->N * dx[j] + label);
}

static row row_of(const layers_check *check, const scores *s, size_t n) {
    const double *x = s->x + n * s->C, *dx = check_values(check, LOSS_DX) + n * s->C;
    size_t label = (size_t)s->y[n];
    row r = {.largest = largest_of(s->C, x)};
    r.sum = sum_of(s, n, r.largest, dx);
    double lost = weighed(s->C, x, r.largest, (double)s->N, dx) +
                  (isfinite(x[label]) ? fabs(x[label] - r.largest) : 0);
    r.units = (double)s->C + 8 + lost + fabs(r.largest);
    if (check->rounded)
        r.units += lost + 2 * fabs(r.largest);
    return r;
}

/* Whether a class other than the label is not there: its score is −inf. */
static bool lacks_class(const scores *s, size_t n) {
    bool lacks = false;
    for (size_t j = 0; j < s->C; j++)
        lacks |= j != (size_t)s->y[n] && s->x[n * s->C + j] == -INFINITY;
    return lacks;
}

static void note(const layers_check *check, double *to) {
    scores s = scores_of(check);
    row *rows = (row *)(to + 1);
    double units = 0, losses = 0, N = (double)s.N;
    for (size_t n = 0; n < s.N; n++) {
        rows[n] = row_of(check, &s, n);
        double loss = loss_of(&s, &rows[n], n), below = fabs(loss - log(rows[n].sum));
        if (!isfinite(rows[n].largest))
            rows[n].units = NAN; /* as all of the row is */
        else if (lacks_class(&s, n))
            rows[n].units = INFINITY;
        if (isfinite(loss)) {
            units += rows[n].units + (check->rounded ? 3 : 2) * below + loss;
            losses += loss;
        }
    }
    to[0] = 4 * check->unit * (units + (N + 2) * losses) / N;
}

/* Whether the probabilities of a row cannot be told: scores are so large that their rounding alone
 * changes them by a factor. */
static bool is_unclear(const row *r, double unit) {
    return r->units * unit >= 0.25;
}

/* Of some classes of a row, the label's place set as that of the others. */
KERNEL void bound_classes(size_t count, const double *x, const row *r, double unit, double tiny,
                          const double *dx, double *to) {
    for (size_t j = 0; j < count; j++) {
        double own = (r->units + 4 * fabs(x[j] - r->largest)) * fabs(dx[j]);
        to[j] = 4 * unit * ((dx[j] == 0 ? 0 : own) + 2 * fabs(dx[j])) + 4 * tiny;
    }
    for (size_t j = 0; j < count && is_unclear(r, unit); j++)
        to[j] = INFINITY;
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    scores s = scores_of(check);
    const double *right = check_values(check, output);
    if (output == LOSS_LOSS) {
        if (count > 0)
            *to = check->notes[0];
        return;
    }
    for (size_t i = first, end; i < first + count; i = end) {
        size_t n = i / s.C, label = n * s.C + (size_t)s.y[n];
        const row *r = &rows_of(check)[n];
        end = at_most((n + 1) * s.C, first + count);
        bound_classes(end - i, s.x + i, r, check->unit, check->tiny, right + i, to + i - first);
        if (label < i || label >= end || is_unclear(r, check->unit))
            continue;
        double p = right[label] + 1 / (double)s.N, z = s.x[label] - r->largest; /* p / N */
        to[label - first] = 4 * check->unit * (r->units + 4 * fabs(z)) * p + 4 * check->tiny +
                            8 * check->unit * fabs(right[label]);
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    SUMMED,
    AVERAGED_OVER_CLASSES,
    NEGATED,
    ONE_HOT_MISSING,
    ONE_HOT_NOT_DIVIDED,
    OF_PROBABILITIES,
    DIAGONAL_ONLY,
    NOT_SHIFTED,
    NOT_SHIFTED_LOG,
    SHIFTED_BY_ALL,
    SHIFTED_BY_ALL_LOG,
    CONSTANT,
    CONSTANT_IN_SUM,
    CLIPPED,
    LOG_OF_SOFTMAX,
    NOT_NORMALISED,
    BY_COLUMNS,
    BY_ALL,
};

/* As the claims' precision has it: 0 or an infinity where it is out of range. */
static double narrow(const layers_check *check, double number) {
    return check->precision == LAYERS_F32 ? (double)(float)number : number;
}

/* log Σ exp of `count` scores that lie so far apart. */
static double log_sum(const double *x, size_t count, size_t step) {
    double largest = x[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        largest = x[i * step] > largest ? x[i * step] : largest;
    for (size_t i = 0; i < count; i++)
        sum += exp(x[i * step] - largest);
    /* cppcheck-suppress invalidFunctionArg; at least one term of the sum is exp(0) */
    return largest + log(sum);
}

/* Whether exponentials are taken as they come, or less the maximum of all scores: which overflow.
 */
static bool is_plain(int variant) {
    return variant == NOT_SHIFTED || variant == NOT_SHIFTED_LOG || variant == SHIFTED_BY_ALL ||
           variant == SHIFTED_BY_ALL_LOG;
}

/* A flag, and the log-sums of the columns, or of all scores; or the place from 1 on of a row, and
 * its sum, a flag, and the maximum of all. */
enum { ROW, ROW_SUM, HAS_LARGEST, LARGEST, PLAIN_NUMBERS };

static size_t memo(const fault_view *view) {
    int variant = view->fault->variant;
    return variant == BY_COLUMNS ? 1 + check_length(view->check, 'C')
           : variant == BY_ALL   ? 2
           : is_plain(variant)   ? PLAIN_NUMBERS
                                 : 0;
}

/* log Σ exp over the column of a class, or over all scores. */
static double other_sum(const fault_view *view, const scores *s, size_t j) {
    double *sums = view->memo + 1;
    bool columns = view->fault->variant == BY_COLUMNS;
    if (!view->memo[0]) {
        for (size_t c = 0; columns && c < s->C; c++)
            sums[c] = log_sum(s->x + c, s->N, s->C);
        if (!columns)
            sums[0] = log_sum(s->x, s->N * s->C, 1);
        view->memo[0] = 1;
    }
    return sums[columns ? j : 0];
}

/* What is subtracted from scores before their exponentials are taken. */
static double shift_of(const fault_view *view, const scores *s) {
    double *memo = view->memo;
    if (view->fault->variant == NOT_SHIFTED || view->fault->variant == NOT_SHIFTED_LOG)
        return 0;
    if (!memo[HAS_LARGEST]) {
        memo[HAS_LARGEST] = 1;
        memo[LARGEST] = s->x[0];
        for (size_t i = 1; i < s->N * s->C; i++)
            memo[LARGEST] = s->x[i] > memo[LARGEST] ? s->x[i] : memo[LARGEST];
    }
    return memo[LARGEST];
}

/* Σ exp(x) of a row as it overflows. That of the row that was looked at last is kept: pieces of a
 * long row follow each other. */
static double plain_sum(const fault_view *view, const scores *s, size_t n) {
    double sum = 0, shift = shift_of(view, s);
    if (view->memo[ROW] == (double)(n + 1))
        return view->memo[ROW_SUM];
    for (size_t j = 0; j < s->C; j++)
        sum += narrow(view->check, exp(s->x[n * s->C + j] - shift));
    view->memo[ROW] = (double)(n + 1);
    return view->memo[ROW_SUM] = narrow(view->check, sum);
}

static double row_loss(const fault_view *view, const scores *s, size_t n) {
    const row *r = &rows_of(view->check)[n];
    size_t at = n * s->C + (size_t)s->y[n];
    double x = s->x[at], z = x - r->largest, p = exp(z) / r->sum;
    switch (view->fault->variant) {
    case NOT_SHIFTED:
    case SHIFTED_BY_ALL:
        return -log(narrow(view->check, exp(x - shift_of(view, s))) / plain_sum(view, s, n));
    case NOT_SHIFTED_LOG:
    case SHIFTED_BY_ALL_LOG:
        return log(plain_sum(view, s, n)) - (x - shift_of(view, s));
    case CONSTANT:
        return -log(p + *(const double *)view->fault->how);
    case CONSTANT_IN_SUM:
        return log(r->sum + *(const double *)view->fault->how) - z;
    case CLIPPED:
        return -log(fmax(p, *(const double *)view->fault->how));
    case LOG_OF_SOFTMAX:
        return -log(narrow(view->check, p));
    case NOT_NORMALISED:
        return -z;
    case BY_COLUMNS:
    case BY_ALL:
        return other_sum(view, s, (size_t)s->y[n]) - x;
    default:
        return loss_of(s, r, n);
    }
}

/* What loss and dx are multiplied by. */
static double share_of(const scores *s, int variant) {
    double mean = 1 / (double)s->N;
    return variant == SUMMED                  ? 1
           : variant == AVERAGED_OVER_CLASSES ? mean / (double)s->C
           : variant == NEGATED               ? -mean
                                              : mean;
}

static void fill_loss(const fault_view *view, const scores *s, double *to) {
    int variant = view->fault->variant;
    double sum = 0;
    if (variant == SUMMED || variant == AVERAGED_OVER_CLASSES || variant == NEGATED) {
        *to = *check_values(view->check, LOSS_LOSS) * (double)s->N * share_of(s, variant);
        return;
    }
    for (size_t n = 0; n < s->N; n++)
        sum += row_loss(view, s, n);
    *to = sum * share_of(s, variant);
}

/* N times the element of dx. */
static double slope(const fault_view *view, const scores *s, size_t i) {
    const row *r = &rows_of(view->check)[i / s->C];
    bool label = i % s->C == (size_t)s->y[i / s->C];
    double x = s->x[i], z = x - r->largest, p = exp(z) / r->sum;
    switch (view->fault->variant) {
    case ONE_HOT_MISSING:
        return p;
    case ONE_HOT_NOT_DIVIDED:
        return label ? p - (double)s->N : p;
    case OF_PROBABILITIES:
        return label ? -1 / p : 0;
    case DIAGONAL_ONLY:
        return label ? p - 1 : 0;
    case NOT_SHIFTED:
    case SHIFTED_BY_ALL:
        x -= shift_of(view, s);
        return narrow(view->check, exp(x)) / plain_sum(view, s, i / s->C) - label;
    case NOT_SHIFTED_LOG:
    case SHIFTED_BY_ALL_LOG:
        x -= shift_of(view, s);
        return narrow(view->check, exp(x - log(plain_sum(view, s, i / s->C)))) - label;
    case CONSTANT_IN_SUM:
        return exp(z) / (r->sum + *(const double *)view->fault->how) - label;
    case NOT_NORMALISED:
        return exp(z) - label;
    case BY_COLUMNS:
    case BY_ALL:
        return exp(x - other_sum(view, s, i % s->C)) - label;
    default:
        return check_values(view->check, LOSS_DX)[i] * (double)s->N;
    }
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    scores s = scores_of(view->check);
    if (view->output == LOSS_LOSS) {
        if (count > 0)
            fill_loss(view, &s, to);
        return;
    }
    double share = share_of(&s, view->fault->variant);
    for (size_t i = first; i < first + count; i++)
        to[i - first] = slope(view, &s, i) * share;
}

/* Small constants drown in the rounding of float32: a challenge in it need not tell them. */
static bool is_fine(const layers_check *check) {
    return !check->is_challenge || check->precision == LAYERS_F64;
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* In the first row the label's score lies below another one, so that a constant in the logarithm
 * shows. */
static void lower_label(layers_drawing *drawing, layers_call *asked, double gap) {
    const layers_tensor *x = &asked->inputs[LOSS_X];
    size_t C = x->shape[1], label = (size_t)((int64_t *)asked->inputs[LOSS_Y].data)[0];
    double *scores = x->data, *other = &scores[(label + 1 + draw_below(drawing, 2)) % C];
    *other = draw_number(drawing, 6, 7);
    scores[label] = *other - gap;
}

static void adjust(layers_drawing *drawing, layers_call *asked) {
    lower_label(drawing, asked, 14);
}

/* Rows far from 0, on either side; and a probability that is as good as 0, and is none. */
static void adjust_large(layers_drawing *drawing, layers_call *asked) {
    const layers_tensor *x = &asked->inputs[LOSS_X];
    size_t N = x->shape[0], C = x->shape[1];
    lower_label(drawing, asked, draw_dtype(drawing) == LAYERS_F64 ? 250 : 60);
    for (size_t n = 0; n < N; n++) {
        bool above = n < 2 ? n == 0 : draw_below(drawing, 2);
        double offset = (above ? 1 : -1) * draw_number(drawing, 900, 990);
        for (size_t j = 0; j < C; j++)
            ((double *)x->data)[n * C + j] += offset;
    }
}

#define SIZES(n, c)                                                                                \
    { [LETTER('N')] = (n), [LETTER('C')] = (c) }

static const layers_case cases[] = {
    {.name = "plain", .length = SIZES(4, 6), .adjust = adjust},
    {.name = "one", .length = SIZES(1, 5), .adjust = adjust},
    {.name = "large", .length = SIZES(3, 4), .adjust = adjust_large},
    {0},
};

#define LOSS CLAIM_BIT(LOSS_LOSS)
#define DX   CLAIM_BIT(LOSS_DX)

/* clang-format off */
#define FAULT(name, where, how_kind, which, words)                                                 \
    {                                                                                              \
        .code = (name), .says = (words), .outputs = (where), .kind = (how_kind),                   \
        .variant = (which), .fill = fill,                                                          \
    }

#define CONSTANT_FAULT(name, where, which, constant, when, words)                                  \
    {                                                                                              \
        .code = (name), .says = (words), .outputs = (where), .kind = FAULT_SPECIAL,                \
        .variant = (which), .how = &(const double){constant}, .applies = (when), .fill = fill,     \
    }

#define IN_LOG(constant, when)                                                                     \
    CONSTANT_FAULT("constant_in_log", LOSS, CONSTANT, constant, when,                              \
                   "a small constant was added to the probability before its logarithm: shift "    \
                   "the scores by their maximum and take logsumexp, which needs none"),            \
        CONSTANT_FAULT("constant_in_log", LOSS, CLIPPED, constant, NULL,                           \
                       "the probability was kept above a small constant before its logarithm: "    \
                       "shift the scores by their maximum and take logsumexp, which needs none")

#define IN_SUM(constant)                                                                           \
    CONSTANT_FAULT("constant_in_sum", LOSS | DX, CONSTANT_IN_SUM, constant, is_fine,               \
                   "a small constant was added to the sum of the exponentials: shifted by their "  \
                   "maximum it is at least 1, and needs none")
/* clang-format on */

const layers_answers softmax_loss_answers = {
    .bound = bound,
    .notes = notes,
    .note = note,
    .memo = memo,
    .unclear = "implementations that are called right disagree about a score of −inf off the "
               "target, and about scores so large that their rounding decides: send others",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("sum_not_mean", LOSS | DX, FAULT_PLAIN, SUMMED,
                  "the rows were summed: loss and dx are means over N"),
            FAULT("averaged_over_classes", LOSS | DX, FAULT_PLAIN, AVERAGED_OVER_CLASSES,
                  "loss and dx were divided by the number of classes as well: they are means over "
                  "N alone"),
            FAULT("loss_negated", LOSS, FAULT_PLAIN, NEGATED,
                  "the loss has the wrong sign: it is minus the mean logarithm"),
            FAULT("gradient_sign", DX, FAULT_PLAIN, NEGATED, "dx has the wrong sign"),
            FAULT("one_hot_missing", DX, FAULT_PLAIN, ONE_HOT_MISSING,
                  "dx is softmax(x) / N: 1 is to be subtracted at the right class first"),
            FAULT("one_hot_not_divided", DX, FAULT_SPECIAL, ONE_HOT_NOT_DIVIDED,
                  "1 was subtracted at the right class after the division by N: subtract it first"),
            FAULT("gradient_of_probabilities", DX, FAULT_PLAIN, OF_PROBABILITIES,
                  "dx is the gradient by the probabilities, −1 / p at the right class: go on "
                  "through the softmax to the scores"),
            FAULT("cross_terms_missing", DX, FAULT_PLAIN, DIAGONAL_ONLY,
                  "dx holds the right class alone: every score moves the probability of the right "
                  "class"),
            FAULT("log_of_softmax", LOSS, FAULT_CONVENTION, LOG_OF_SOFTMAX,
                  "the logarithm was taken of a probability that is 0 in this precision: take it "
                  "of the sum instead, and here send scores that lie nearer each other"),
            FAULT("not_shifted", LOSS | DX, FAULT_SPECIAL, NOT_SHIFTED,
                  "exp of the scores overflows or is 0: subtract each row's maximum first"),
            FAULT("not_shifted", LOSS | DX, FAULT_SPECIAL, NOT_SHIFTED_LOG,
                  "exp of the scores overflows or is 0: subtract each row's maximum first"),
            FAULT("not_shifted", LOSS | DX, FAULT_SPECIAL, SHIFTED_BY_ALL,
                  "exp of a row is 0 where another's scores are far larger: subtract each row's "
                  "own maximum, not that of all"),
            FAULT("not_shifted", LOSS | DX, FAULT_SPECIAL, SHIFTED_BY_ALL_LOG,
                  "exp of a row is 0 where another's scores are far larger: subtract each row's "
                  "own maximum, not that of all"),
            FAULT("not_normalised", LOSS | DX, FAULT_PLAIN, NOT_NORMALISED,
                  "the exponentials were not divided by their sum"),
            FAULT("normalised_by_columns", LOSS | DX, FAULT_SPECIAL, BY_COLUMNS,
                  "the exponentials were divided by the sums of the columns: each row is one "
                  "example, so sum over axis 1"),
            FAULT("normalised_by_all", LOSS | DX, FAULT_SPECIAL, BY_ALL,
                  "the exponentials were divided by the sum of all of them: each row is one "
                  "example, so sum over axis 1"),
            IN_LOG(1e-5, NULL),
            IN_LOG(1e-6, NULL),
            IN_LOG(1e-7, is_fine),
            IN_LOG(1e-8, is_fine),
            IN_LOG(1e-9, is_fine),
            IN_LOG(1e-10, is_fine),
            IN_LOG(1e-11, is_fine),
            IN_LOG(1e-12, is_fine),
            IN_LOG(1e-15, is_fine),
            IN_LOG(1e-20, is_fine),
            IN_SUM(1e-6),
            IN_SUM(1e-7),
            IN_SUM(1e-8),
            IN_SUM(1e-9),
            IN_SUM(1e-10),
            {0},
        },
};
