/* What right and wrong answers to svm look like.
 *
 * A margin is x_j − x_y + 1, in any order: one rounding of something no larger than |x_j| + |x_y| +
 * 1 and one of the margin, and one more of each score that was rounded first. The loss is their
 * sum, each term of which loses at most as many units as there are terms. The
 * gradient is a count over N. A margin that is within its rounding of 0 may count or not: then the
 * gradient there is 0 or 1/N, and at the label the count is one more or less. */
#include <math.h>
#include <string.h>

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

static size_t label_of(const scores *s, size_t n) {
    return (size_t)s->y[n];
}

/* x_nj − x_ny */
static double lead(const scores *s, size_t n, size_t j) {
    return s->x[n * s->C + j] - s->x[n * s->C + label_of(s, n)];
}

/* ---- what is summed once for all ---------------------------------------------------------------
 */

typedef enum {
    HINGE, /* the right one */
    MARGIN_MISSING,
    MARGIN_NEGATED,
    NOT_CLAMPED,
    SQUARED,
    LARGEST_RIVAL,
    HINGES,
} hinge_kind;

/* Over the classes of a row but its label, or over all rows: the loss by each kind of hinge; the
 * widths |x_j| + |x_y| + 1 of the margins that count or may; how many may. */
typedef struct {
    double loss[HINGES], widths, doubtful;
} sums;

/* A row's label: its score, and the one whose margin over it is 0 in any order of summation, NaN
 * where there is none. */
typedef struct {
    double score, sure, unit;
} target;

/* 1 less than its score, where that is exact in the claims' precision. */
static target target_of(const layers_check *check, double score) {
    double sure = score - 1;
    bool exact = sure + 1 == score && score - sure == 1;
    if (check->precision == LAYERS_F32)
        exact &= (double)(float)sure == sure && (double)(float)score == score;
    return (target){score, exact ? sure : NAN, check->unit};
}

/* |x_j| + |x_y| + 1 */
INLINED double width_of(double x, const target *label) {
    return fabs(x) + (fabs(label->score) + 1);
}

/* Whether a margin is too near 0 to tell its sign, as 1 or 0. */
INLINED double doubt(double x, const target *label) {
    double reach = 6 * label->unit * width_of(x, label), margin = x - label->score + 1;
    return (double)((fabs(margin) <= reach) & (reach < INFINITY) & (x != label->sure));
}

/* Classes abreast, in vector registers: the compiler finds no such code by itself. */
enum { ABREAST = 4 };

typedef double lanes __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t bits __attribute__((vector_size(32), aligned(8), may_alias));

/* What `sums` holds, of every ABREAST-th class. */
typedef struct {
    lanes loss[HINGES], widths, doubtful, largest;
} sums_abreast;

/* A score of −inf counts for nothing. */
INLINED void add_abreast(const double *x, const target *label, sums_abreast *to) {
    const lanes one = 1 - (lanes){0};
    lanes in = *(const lanes *)x, lead = in - label->score, margin = lead + 1;
    lanes width = (lanes)((bits)in & INT64_MAX) + (fabs(label->score) + 1);
    lanes distance = (lanes)((bits)margin & INT64_MAX), reach = 6 * label->unit * width;
    bits near = (bits)(distance <= reach) & (bits)(reach < INFINITY) & (bits)(in != label->sure);
    lanes positive = (lanes)((bits)margin & ~(bits)(margin <= 0));
    bits more = (bits)(lead > to->largest);
    to->loss[HINGE] += positive;
    to->loss[MARGIN_MISSING] += (lanes)((bits)lead & ~(bits)(lead <= 0));
    to->loss[MARGIN_NEGATED] += (lanes)((bits)(lead - 1) & ~(bits)(lead <= 1));
    to->loss[NOT_CLAMPED] += (lanes)((bits)margin & (bits)(margin != -INFINITY));
    to->loss[SQUARED] += positive * positive;
    to->widths += (lanes)((bits)width & ((bits)(positive > 0) | near));
    to->doubtful += (lanes)((bits)one & near);
    to->largest = (lanes)(((bits)lead & more) | ((bits)to->largest & ~more));
}

/* Adds some classes of a row, the label not among them. */
KERNEL void add_classes(size_t count, const double *x, const target *label, sums_abreast *to) {
    const target by = *label;
    sums_abreast own = *to;
    size_t j = 0;
    for (; j + ABREAST <= count; j += ABREAST)
        add_abreast(x + j, &by, &own);
    if (j < count) {
        double rest[ABREAST];
        for (size_t l = 0; l < ABREAST; l++)
            rest[l] = j + l < count ? x[j + l] : -INFINITY;
        add_abreast(rest, &by, &own);
    }
    *to = own;
}

static double sum_of(const lanes *lane) {
    double number[ABREAST];
    memcpy(number, lane, sizeof number);
    return pairwise_sum(number, ABREAST);
}

/* Adds a row, and returns how many of its margins are doubtful. */
static double add_row(const layers_check *check, const scores *s, size_t n, sums *to) {
    const double *x = s->x + n * s->C;
    size_t label = label_of(s, n);
    const target own = target_of(check, x[label]);
    double largest = -INFINITY, doubtful;
    sums_abreast row = {.largest = -INFINITY - (lanes){0}};
    add_classes(label, x, &own, &row);
    add_classes(s->C - label - 1, x + label + 1, &own, &row);
    for (size_t l = 0; l < ABREAST; l++)
        largest = row.largest[l] > largest ? row.largest[l] : largest;
    for (int kind = 0; kind < LARGEST_RIVAL; kind++)
        to->loss[kind] += sum_of(&row.loss[kind]);
    to->loss[LARGEST_RIVAL] += largest + 1 <= 0 ? 0 : largest + 1;
    to->widths += sum_of(&row.widths);
    to->doubtful += doubtful = sum_of(&row.doubtful);
    return doubtful;
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

/* The notes: how far the loss may be off, the losses by each kind of hinge, and of each row how
 * many margins are doubtful. */
enum { LOSS_BOUND, LOSSES, DOUBTS = LOSSES + HINGES };

static size_t notes(const layers_check *check) {
    return DOUBTS + check_length(check, 'N');
}

static void note(const layers_check *check, double *to) {
    scores s = scores_of(check);
    sums all = {0};
    for (size_t n = 0; n < s.N; n++)
        to[DOUBTS + n] = add_row(check, &s, n, &all);
    double terms = (double)s.N * (double)s.C + 3, each = check->rounded ? 2 : 1;
    to[LOSS_BOUND] = 4 * check->unit * (each * all.widths + terms * all.loss[HINGE]) / (double)s.N;
    for (int kind = 0; kind < HINGES; kind++)
        to[LOSSES + kind] = all.loss[kind];
}

/* Of some classes of a row, the label's place set as that of the others. */
KERNEL void bound_classes(size_t count, const double *x, const target *label, double share,
                          const double *dx, double *to) {
    const target by = *label;
    for (size_t j = 0; j < count; j++)
        to[j] = 4 * by.unit * fabs(dx[j]) + (1 + 4 * by.unit) * doubt(x[j], &by) * share;
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    scores s = scores_of(check);
    const double *right = check_values(check, output);
    double share = 1 / (double)s.N;
    if (output == LOSS_LOSS) {
        if (count > 0)
            *to = isfinite(*right) ? check->notes[LOSS_BOUND] : 0;
        return;
    }
    for (size_t i = first, end; i < first + count; i = end) {
        size_t n = i / s.C, label = n * s.C + label_of(&s, n);
        end = at_most((n + 1) * s.C, first + count);
        const target own = target_of(check, s.x[label]);
        bound_classes(end - i, s.x + i, &own, share, right + i, to + i - first);
        if (label < i || label >= end)
            continue;
        double shares = 1 + fabs(right[label]) * (double)s.N; /* 1/N added up */
        to[label - first] = 4 * shares * check->unit * fabs(right[label]) +
                            (1 + 4 * check->unit) * check->notes[DOUBTS + n] * share;
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

/* What is in the place of the label's gradient, in counts of the row's margins. */
typedef enum {
    MINUS_COUNT, /* the right one */
    MINUS_ONE_MORE,
    MINUS_ONE_LESS,
    PLUS_COUNT,
    NOTHING,
    ONE, /* the label's own margin of 1 counted, and nothing subtracted */
    MINUS_ONE,
} label_kind;

typedef enum { MEAN, SUM, MEAN_OF_ALL, NEGATED } share_kind;

typedef struct {
    hinge_kind hinge;
    label_kind label;
    share_kind share;
    double own; /* what the label's own margin adds to a row's loss */
} wrong;

/* The class other than the label that has the largest score; C where there is none. */
static size_t rival_of(const scores *s, size_t n) {
    size_t rival = s->C;
    for (size_t j = 0; j < s->C; j++)
        if (j != label_of(s, n) && (rival == s->C || lead(s, n, j) > lead(s, n, rival)))
            rival = j;
    return rival;
}

/* What a class adds to its row's loss, and to its gradient. */
static double term(const scores *s, hinge_kind kind, size_t n, size_t j, size_t rival) {
    double margin = lead(s, n, j) + (kind == MARGIN_MISSING ? 0 : kind == MARGIN_NEGATED ? -1 : 1);
    if (j == label_of(s, n) || (kind == LARGEST_RIVAL && j != rival))
        return 0;
    if (kind == NOT_CLAMPED)
        return margin;
    if (margin <= 0)
        return 0;
    return kind == SQUARED ? margin * margin : margin;
}

static double slope(const scores *s, hinge_kind kind, size_t n, size_t j, size_t rival) {
    if (j == label_of(s, n) || kind == NOT_CLAMPED)
        return j != label_of(s, n);
    double loss = term(s, kind, n, j, rival);
    return kind == SQUARED ? 2 * sqrt(loss) : loss > 0;
}

static double share_of(const scores *s, share_kind kind) {
    switch (kind) {
    case SUM:
        return 1;
    case MEAN_OF_ALL:
        return 1 / ((double)s->N * (double)s->C);
    case NEGATED:
        return -1 / (double)s->N;
    case MEAN:
        break;
    }
    return 1 / (double)s->N;
}

static double label_slope(label_kind kind, double count) {
    switch (kind) {
    case MINUS_ONE_MORE:
        return -count - 1;
    case MINUS_ONE_LESS:
        return 1 - count;
    case PLUS_COUNT:
        return count;
    case NOTHING:
        return 0;
    case ONE:
        return 1;
    case MINUS_ONE:
        return count > 0 ? -1 : 0;
    case MINUS_COUNT:
        break;
    }
    return -count;
}

static void fill_loss(const layers_check *check, const scores *s, const wrong *how, double *to) {
    double sum = check->notes[LOSSES + how->hinge] + how->own * (double)s->N;
    *to = sum * share_of(s, how->share);
}

/* What a fault remembers: of the row that was looked at last, its place from 1 on, the rival, and
 * how many margins count. Or each piece of a long row would cost as much as all of it. */
enum { MEMO_ROW, MEMO_RIVAL, MEMO_COUNT, MEMO_NUMBERS };

static size_t memo(const fault_view *view) {
    return view->output == LOSS_DX ? MEMO_NUMBERS : 0;
}

static void remember_row(const scores *s, hinge_kind kind, size_t n, double *row) {
    if (row[MEMO_ROW] == (double)(n + 1))
        return;
    size_t rival = rival_of(s, n);
    row[MEMO_ROW] = (double)(n + 1);
    row[MEMO_RIVAL] = (double)rival;
    row[MEMO_COUNT] = 0;
    for (size_t j = 0; j < s->C; j++)
        row[MEMO_COUNT] += slope(s, kind, n, j, rival);
}

/* Elements from `first` to `end` of one row. */
static void fill_row(const scores *s, const wrong *how, size_t first, size_t end, double *row,
                     double *to) {
    size_t n = first / s->C;
    double share = share_of(s, how->share);
    remember_row(s, how->hinge, n, row);
    for (size_t i = first; i < end; i++) {
        bool label = i % s->C == label_of(s, n);
        to[i - first] =
            share * (label ? label_slope(how->label, row[MEMO_COUNT])
                           : slope(s, how->hinge, n, i % s->C, (size_t)row[MEMO_RIVAL]));
    }
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    scores s = scores_of(view->check);
    const wrong *how = view->fault->how;
    if (view->output == LOSS_LOSS) {
        if (count > 0)
            fill_loss(view->check, &s, how, to);
        return;
    }
    for (size_t i = first, end; i < first + count; i = end) {
        end = (i / s.C + 1) * s.C;
        if (end > first + count)
            end = first + count;
        fill_row(&s, how, i, end, view->memo, to + (i - first));
    }
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* Scores of one row, whose margins are at most `spread` from 1 and not within 1/8 of 0, nor of what
 * faults have in the place of 0. Two of them count and one does not, the others as it comes. */
static void draw_row(layers_drawing *drawing, size_t C, size_t label, double spread, double *x) {
    for (size_t j = 0, rivals = 0; j < C; j++) {
        double ahead;
        if (j == label)
            continue;
        do
            ahead = draw_number(drawing, rivals < 2 ? -1 : -spread, rivals == 2 ? -1 : spread);
        while (fabs(ahead) < 0.125 || fabs(fabs(ahead) - 1) < 0.125);
        x[j] = x[label] + ahead;
        rivals++;
    }
}

static void adjust(layers_drawing *drawing, layers_call *asked) {
    const int64_t *y = asked->inputs[LOSS_Y].data;
    double *x = asked->inputs[LOSS_X].data;
    size_t C = asked->inputs[LOSS_X].shape[1];
    for (size_t n = 0; n < asked->inputs[LOSS_Y].size; n++)
        draw_row(drawing, C, (size_t)y[n], 2, x + n * C);
}

/* Scores far from 0, and near each other within a row. */
static void adjust_large(layers_drawing *drawing, layers_call *asked) {
    const int64_t *y = asked->inputs[LOSS_Y].data;
    double *x = asked->inputs[LOSS_X].data;
    size_t C = asked->inputs[LOSS_X].shape[1];
    for (size_t n = 0; n < asked->inputs[LOSS_Y].size; n++, y++, x += C) {
        x[*y] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 900, 990);
        draw_row(drawing, C, (size_t)*y, 8, x);
    }
}

#define SIZES(n, c)                                                                                \
    { [LETTER('N')] = (n), [LETTER('C')] = (c) }

static const layers_case cases[] = {
    {.name = "plain", .length = SIZES(4, 6), .adjust = adjust},
    {.name = "one", .length = SIZES(1, 6), .adjust = adjust},
    {.name = "large", .length = SIZES(3, 5), .adjust = adjust_large},
    {0},
};

#define LOSS         CLAIM_BIT(LOSS_LOSS)
#define DX           CLAIM_BIT(LOSS_DX)

#define MARGIN_SAYS  "a margin is max(0, x_j − x_y + 1): the 1 is missing"
#define NEGATED_SAYS "a margin is max(0, x_j − x_y + 1): the 1 was subtracted"

/* clang-format off */
#define FAULT(name, where, how_kind, words, ...)                                                             \
    {                                                                                              \
        .code = (name), .says = (words), .outputs = (where), .kind = (how_kind),                   \
        .how = &(const wrong){__VA_ARGS__}, .fill = fill,                                          \
    }
/* clang-format on */

const layers_answers svm_loss_answers = {
    .bound = bound,
    .notes = notes,
    .note = note,
    .memo = memo,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("sum_not_mean", LOSS | DX, FAULT_PLAIN,
                  "the rows were summed: loss and dx are means over N", .share = SUM),
            FAULT("averaged_over_classes", LOSS | DX, FAULT_PLAIN,
                  "loss and dx were divided by the number of classes as well: they are means over "
                  "N alone",
                  .share = MEAN_OF_ALL),
            FAULT("true_class_counted", LOSS, FAULT_PLAIN,
                  "the right class's own margin, which is always 1, was added: leave j = y out",
                  .own = 1),
            FAULT("true_class_counted", DX, FAULT_PLAIN,
                  "the right class's own margin was counted in dx: leave j = y out of the count",
                  .label = MINUS_ONE_MORE),
            FAULT("true_class_counted", DX, FAULT_PLAIN,
                  "the right class's own margin was counted in dx: leave j = y out, so that only "
                  "the count of the others is subtracted there",
                  .label = MINUS_ONE_LESS),
            FAULT("margin_missing", LOSS, FAULT_PLAIN, MARGIN_SAYS, .hinge = MARGIN_MISSING),
            FAULT("margin_missing", DX, FAULT_SPECIAL, MARGIN_SAYS, .hinge = MARGIN_MISSING),
            FAULT("margin_negated", LOSS, FAULT_PLAIN, NEGATED_SAYS, .hinge = MARGIN_NEGATED),
            FAULT("margin_negated", DX, FAULT_SPECIAL, NEGATED_SAYS, .hinge = MARGIN_NEGATED),
            FAULT("not_clamped", LOSS | DX, FAULT_SPECIAL,
                  "margins below 0 were counted: a margin is max(0, x_j − x_y + 1)",
                  .hinge = NOT_CLAMPED),
            FAULT("one_hot_missing", DX, FAULT_PLAIN,
                  "at the right class dx is minus the row's count of positive margins over N: "
                  "nothing was subtracted there",
                  .label = NOTHING),
            FAULT("one_hot_missing", DX, FAULT_PLAIN,
                  "at the right class dx is minus the row's count of positive margins over N: "
                  "nothing was subtracted there, and its own margin was counted",
                  .label = ONE),
            FAULT("count_missing", DX, FAULT_SPECIAL,
                  "at the right class 1 was subtracted once: subtract it for each positive margin "
                  "of the row",
                  .label = MINUS_ONE),
            FAULT("count_added", DX, FAULT_PLAIN,
                  "at the right class the count of positive margins was added: subtract it",
                  .label = PLUS_COUNT),
            FAULT("largest_rival_only", LOSS | DX, FAULT_SPECIAL,
                  "only the largest of the other classes was counted: every positive margin counts",
                  .hinge = LARGEST_RIVAL),
            FAULT("squared", LOSS | DX, FAULT_PLAIN,
                  "margins were squared: the loss is their sum as they are", .hinge = SQUARED),
            FAULT("gradient_sign", DX, FAULT_PLAIN, "dx has the wrong sign", .share = NEGATED),
            {0},
        },
};
