/* What right and wrong answers to adam look like: two means that decay, and a quotient
 * (answers/steps.h). 1 − betaᵗ is off by what betaᵗ is: a unit a factor, and one more of each where
 * beta was rounded, which is much of a difference from 1 when t is small. */
#include "answers/steps.h"
#include "answers/sums.h"
#include "checks/check.h"

enum { LEARNING_RATE, BETA1, BETA2, EPSILON, M, V, T }; /* config */

enum {
    NEXT = CLAIM_BIT(0),
    MEAN = CLAIM_BIT(CLAIM_PARAM(M)),
    SQUARE = CLAIM_BIT(CLAIM_PARAM(V)),
};

/* ---- bounds ------------------------------------------------------------------------------------
 */

/* What the elements of a call have in common. */
typedef struct {
    double rate, beta1, beta2, epsilon;
    double m_share, v_share; /* 1 − betaᵗ */
    const double *w, *dw, *m, *v;
} step;

/* 1 − betaᵗ, where t is that of after the step, and so many more. */
static double share_of(const layers_check *check, double beta, int ahead) {
    return 1 - pow(beta, check_number(check, T) + ahead);
}

static step step_of(const layers_check *check) {
    double beta1 = check_number(check, BETA1), beta2 = check_number(check, BETA2);
    return (step){.rate = check_number(check, LEARNING_RATE),
                  .beta1 = beta1,
                  .beta2 = beta2,
                  .epsilon = check_number(check, EPSILON),
                  .m_share = share_of(check, beta1, 0),
                  .v_share = share_of(check, beta2, 0),
                  .w = check_input(check, W),
                  .dw = check_input(check, DW),
                  .m = check_before(check, M),
                  .v = check_before(check, V)};
}

static double mean_loss(const layers_check *check, const step *s, size_t i) {
    return decay_loss(check, s->beta1, s->m[i], s->dw[i], rounded_first(check));
}

static double square_loss(const layers_check *check, const step *s, size_t i) {
    return decay_loss(check, s->beta2, s->v[i], s->dw[i] * s->dw[i], 1 + 2 * rounded_first(check));
}

/* By what share of itself 1 − betaᵗ may be off; infinity where it may be 0. */
static double share_loss(const layers_check *check, double share) {
    double units = (2 * check_number(check, T) + 4) * (1 - share) / share + 1;
    return check->unit * units < 0.25 ? check->unit * units : INFINITY;
}

/* What a mean that is off by `lost` is off by when it has been divided by 1 − betaᵗ. */
static double corrected_loss(const layers_check *check, double mean, double lost, double share,
                             double share_lost) {
    return lost / share + fabs(mean) / share * (share_lost + 2 * check->unit);
}

static void bound_next(const layers_check *check, size_t first, size_t count, double *to) {
    const double *m = check_values(check, CLAIM_PARAM(M)), *v = check_values(check, CLAIM_PARAM(V));
    const double *next = check_values(check, 0);
    const step s = step_of(check);
    double m_share = share_loss(check, s.m_share), v_share = share_loss(check, s.v_share);
    bool told = isfinite(m_share) && isfinite(v_share);
    for (size_t i = first; i < first + count; i++) {
        double mean = corrected_loss(check, m[i], mean_loss(check, &s, i), s.m_share, m_share);
        double square = corrected_loss(check, v[i], square_loss(check, &s, i), s.v_share, v_share);
        double root = root_loss(check, v[i] / s.v_share, square);
        bool fits = told && !(isfinite(v[i]) && v[i] > 0.99 * check->huge);
        double lost = fits ? quotient_loss(check, s.rate, m[i] / s.m_share, mean,
                                           sqrt(v[i] / s.v_share), root, s.epsilon)
                           : INFINITY;
        to[i - first] = step_bound(check, s.w[i], next[i], lost);
    }
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const step s = step_of(check);
    const double *right = check_values(check, output);
    if (output == 0)
        bound_next(check, first, count, to);
    for (size_t i = first; output == CLAIM_PARAM(M) && i < first + count; i++)
        to[i - first] = bound_of(right[i], mean_loss(check, &s, i));
    for (size_t i = first; output == CLAIM_PARAM(V) && i < first + count; i++)
        to[i - first] = bound_of(right[i], square_loss(check, &s, i));
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    GRADIENT_SIGN,
    RATE_MISSING,
    EPS_BEFORE_CORRECTION,
    EPS_INSIDE,
    EPS_MISSING,
    NOT_CORRECTED,
    ONLY_M_CORRECTED,
    ONLY_V_CORRECTED,
    MULTIPLIED,
    T_AHEAD,
    T_BEHIND,
    BETAS_SWAPPED,
    DECAY_SWAPPED,
    SQUARE_MISSING,
    ABSOLUTE,
    ROOT_MISSING,
    NOT_WEIGHED,
    M_LOST,
    V_LOST,
    CORRECTED_STORED,
    NOT_STORED,
    WEIGHT_DECAY,
    DECOUPLED_DECAY,
    CLIPPED,
};

/* The step that a fault makes, but for its formulas. */
static step wrong_step(const fault_view *view) {
    const layers_check *check = view->check;
    int variant = view->fault->variant;
    int ahead = variant == T_AHEAD ? 1 : variant == T_BEHIND ? -1 : 0;
    step s = step_of(check);
    if (variant == BETAS_SWAPPED) {
        s.beta1 = check_number(check, BETA2);
        s.beta2 = check_number(check, BETA1);
    }
    s.m_share = share_of(check, s.beta1, ahead);
    s.v_share = share_of(check, s.beta2, ahead);
    return s;
}

/* The notes: what the gradient is multiplied by where its norm is clipped at 1. */
static size_t notes(const layers_check *check) {
    (void)check;
    return 1;
}

static void note(const layers_check *check, double *to) {
    double norm;
    row_norms(check_input(check, DW), 1, check->forward.inputs[DW].size, &norm);
    *to = norm > 1 ? 1 / norm : 1;
}

/* One element of it, before the step. */
typedef struct {
    double w, dw, m, v;
} element;

static element element_of(const fault_view *view, const step *s, size_t i) {
    const layers_fault *fault = view->fault;
    double dw = s->dw[i];
    if (fault->variant == WEIGHT_DECAY)
        dw += *(const double *)fault->how * s->w[i];
    if (fault->variant == CLIPPED)
        dw *= *view->check->notes;
    return (element){s->w[i], dw, s->m[i], s->v[i]};
}

/* m and v after the step. */
static double mean_of(const step *s, const element *e, int variant) {
    double stays = s->beta1 * e->m;
    return variant == DECAY_SWAPPED ? (1 - s->beta1) * e->m + s->beta1 * e->dw
           : variant == M_LOST      ? (1 - s->beta1) * e->dw
           : variant == NOT_WEIGHED ? stays + e->dw
                                    : stays + (1 - s->beta1) * e->dw;
}

static double square_of(const step *s, const element *e, int variant) {
    double stays = s->beta2 * e->v;
    double square = variant == SQUARE_MISSING ? e->dw
                    : variant == ABSOLUTE     ? fabs(e->dw)
                                              : e->dw * e->dw;
    return variant == DECAY_SWAPPED ? (1 - s->beta2) * e->v + s->beta2 * square
           : variant == V_LOST      ? (1 - s->beta2) * square
           : variant == NOT_WEIGHED ? stays + square
                                    : stays + (1 - s->beta2) * square;
}

static double next_of(const step *s, const element *e, const layers_fault *fault) {
    double m = mean_of(s, e, fault->variant), v = square_of(s, e, fault->variant);
    double mean = m / s->m_share, square = v / s->v_share, epsilon = s->epsilon;
    switch (fault->variant) {
    case GRADIENT_SIGN:
        return e->w + s->rate * mean / (sqrt(square) + epsilon);
    case RATE_MISSING:
        return e->w - mean / (sqrt(square) + epsilon);
    case EPS_BEFORE_CORRECTION:
        return e->w - s->rate * sqrt(s->v_share) / s->m_share * m / (sqrt(v) + epsilon);
    case EPS_INSIDE:
        return e->w - s->rate * mean / sqrt(square + epsilon);
    case EPS_MISSING:
        return e->w - s->rate * mean / sqrt(square);
    case NOT_CORRECTED:
        return e->w - s->rate * m / (sqrt(v) + epsilon);
    case ONLY_M_CORRECTED:
        return e->w - s->rate * mean / (sqrt(v) + epsilon);
    case ONLY_V_CORRECTED:
        return e->w - s->rate * m / (sqrt(square) + epsilon);
    case MULTIPLIED:
        return e->w - s->rate * m * s->m_share / (sqrt(v * s->v_share) + epsilon);
    case ROOT_MISSING:
        return e->w - s->rate * mean / (square + epsilon);
    case DECOUPLED_DECAY:
        return e->w -
               s->rate * (mean / (sqrt(square) + epsilon) + *(const double *)fault->how * e->w);
    default:
        return e->w - s->rate * mean / (sqrt(square) + epsilon);
    }
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    const step s = wrong_step(view);
    int variant = view->fault->variant;
    bool mean = view->output == CLAIM_PARAM(M);
    double share = mean ? s.m_share : s.v_share;
    for (size_t i = first; i < first + count; i++) {
        element e = element_of(view, &s, i);
        double before = mean ? e.m : e.v;
        double after = mean ? mean_of(&s, &e, variant) : square_of(&s, &e, variant);
        to[i - first] = view->output == 0             ? next_of(&s, &e, view->fault)
                        : variant == CORRECTED_STORED ? after / share
                        : variant == NOT_STORED       ? before
                                                      : after;
    }
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* The first step. An epsilon near the roots, or its places could not be told apart; betas of which
 * neither is the other, nor 1 less it; and weights so large that a share of them shows in float32.
 */
static void adjust(layers_drawing *drawing, layers_call *asked) {
    double *w = asked->inputs[W].data, *dw = asked->inputs[DW].data;
    draw_set_number(asked, LEARNING_RATE, draw_number(drawing, 2, 4));
    draw_set_number(asked, BETA1, draw_number(drawing, 0.5625, 0.6875));
    draw_set_number(asked, BETA2, draw_number(drawing, 0.75, 0.875));
    draw_set_number(asked, EPSILON, draw_number(drawing, 0.125, 0.375));
    for (size_t i = 0; i < asked->inputs[W].size; i++) {
        w[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 8, 12);
        dw[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 0.125, 0.75);
    }
}

static void adjust_later(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked);
    draw_set_number(asked, T, 3);
    draw_param(drawing, asked, M, -1, 1);
    draw_param(drawing, asked, V, 0.0625, 0.5);
}

static const layers_case cases[] = {
    {.name = "plain", .tail = {3, 4}, .adjust = adjust},
    {.name = "later", .tail = {2, 5}, .adjust = adjust_later},
    {0},
};

/* clang-format off */
#define FAULT(name, where, how_kind, which, words)                                                 \
    {                                                                                              \
        .code = (name), .says = (words), .outputs = (where), .kind = (how_kind),                   \
        .variant = (which), .fill = fill,                                                          \
    }

#define DECAY(i)                                                                                   \
    {                                                                                              \
        .code = "weight_decay", .says = "a share of w was added to dw: here weights do not decay", \
        .outputs = NEXT | MEAN | SQUARE, .kind = FAULT_SPECIAL,                                    \
        .variant = WEIGHT_DECAY, .how = &weight_decays[i], .fill = fill,                           \
    }, {                                                                                           \
        .code = "weight_decay",                                                                    \
        .says = "a share of w was subtracted beside the step: here weights do not decay",          \
        .outputs = NEXT, .kind = FAULT_SPECIAL,                                                    \
        .variant = DECOUPLED_DECAY, .how = &weight_decays[i], .fill = fill,                        \
    }
/* clang-format on */

const layers_answers adam_update_answers = {
    .bound = bound,
    .notes = notes,
    .note = note,
    .unclear = "in this precision the step cannot be told: epsilon is 0, a square too large, or "
               "beta so near 1 that its power is 1: send float64, or other parameters",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("gradient_sign", NEXT, FAULT_PLAIN, GRADIENT_SIGN,
                  "the step goes up the gradient: subtract it"),
            FAULT("rate_missing", NEXT, FAULT_PLAIN, RATE_MISSING,
                  "the step was not multiplied by learning_rate"),
            FAULT("eps_before_correction", NEXT, FAULT_SPECIAL, EPS_BEFORE_CORRECTION,
                  "epsilon was added before the correction of v: it is added to sqrt(v / (1 − "
                  "beta2ᵗ))"),
            FAULT("eps_inside_root", NEXT, FAULT_PLAIN, EPS_INSIDE,
                  "epsilon was added inside the root: it is added to sqrt(v / (1 − beta2ᵗ))"),
            FAULT("eps_missing", NEXT, FAULT_PLAIN, EPS_MISSING,
                  "epsilon was left out: it is added to sqrt(v / (1 − beta2ᵗ))"),
            FAULT("no_bias_correction", NEXT, FAULT_SPECIAL, NOT_CORRECTED,
                  "m and v were not corrected: divide them by 1 − beta1ᵗ and 1 − beta2ᵗ"),
            FAULT("only_m_corrected", NEXT, FAULT_SPECIAL, ONLY_M_CORRECTED,
                  "v was not corrected: divide it by 1 − beta2ᵗ"),
            FAULT("only_v_corrected", NEXT, FAULT_SPECIAL, ONLY_V_CORRECTED,
                  "m was not corrected: divide it by 1 − beta1ᵗ"),
            FAULT("correction_multiplied", NEXT, FAULT_SPECIAL, MULTIPLIED,
                  "m and v were multiplied by 1 − betaᵗ: divide them by it"),
            FAULT("t_one_ahead", NEXT, FAULT_SPECIAL, T_AHEAD,
                  "the corrections are those of the next step: t grows by 1 a step, once"),
            FAULT("t_not_incremented", NEXT, FAULT_SPECIAL, T_BEHIND,
                  "the corrections are those of the step before: t grows by 1 before it is used"),
            FAULT("betas_swapped", NEXT | MEAN | SQUARE, FAULT_SPECIAL, BETAS_SWAPPED,
                  "beta1 and beta2 were swapped: beta1 is m's, beta2 is v's"),
            FAULT("decay_swapped", NEXT | MEAN | SQUARE, FAULT_PLAIN, DECAY_SWAPPED,
                  "the betas weigh the new gradient: they are the shares of the old m and v that "
                  "stay"),
            FAULT("square_missing", NEXT | SQUARE, FAULT_PLAIN, SQUARE_MISSING,
                  "v is a mean of dw: it is one of dw²"),
            FAULT("square_missing", NEXT | SQUARE, FAULT_PLAIN, ABSOLUTE,
                  "v is a mean of |dw|: it is one of dw²"),
            FAULT("root_missing", NEXT, FAULT_PLAIN, ROOT_MISSING,
                  "the step was divided by v: divide it by v's root"),
            FAULT("not_weighed", NEXT | MEAN | SQUARE, FAULT_PLAIN, NOT_WEIGHED,
                  "dw and dw² were added whole: they are weighed by 1 − beta1 and 1 − beta2"),
            FAULT("m_lost", NEXT | MEAN, FAULT_SPECIAL, M_LOST,
                  "the m that came in config was not used: m is beta1 · m + (1 − beta1) · dw"),
            FAULT("v_lost", NEXT | SQUARE, FAULT_SPECIAL, V_LOST,
                  "the v that came in config was not used: v is beta2 · v + (1 − beta2) · dw²"),
            FAULT("clipped", NEXT | MEAN | SQUARE, FAULT_SPECIAL, CLIPPED,
                  "dw was divided by its norm, as clipping at 1 does: use dw as it is"),
            FAULT("moments_corrected", MEAN | SQUARE, FAULT_SPECIAL, CORRECTED_STORED,
                  "what came back is corrected: keep m and v as they are, and correct copies"),
            FAULT("moments_not_stored", MEAN | SQUARE, FAULT_PLAIN, NOT_STORED,
                  "what came back is that of before the step: give back the new m and v"),
            DECAY(0),
            DECAY(1),
            DECAY(2),
            DECAY(3),
            {0},
        },
};
