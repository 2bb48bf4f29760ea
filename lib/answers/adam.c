/* What right and wrong answers to adam look like: two means that decay, and a quotient
 * (answers/steps.h). 1 − betaᵗ is off by what betaᵗ is: a unit a factor, and one more of each where
 * beta was rounded, which is much of a difference from 1 when t is small. */
#include "answers/steps.h"
#include "checks/check.h"

enum { LEARNING_RATE, BETA1, BETA2, EPSILON, M, V, T }; /* config */

enum {
    NEXT = CLAIM_BIT(0),
    MEAN = CLAIM_BIT(CLAIM_PARAM(M)),
    SQUARE = CLAIM_BIT(CLAIM_PARAM(V)),
};

/* ---- bounds ------------------------------------------------------------------------------------
 */

static double mean_loss(const layers_check *check, size_t i) {
    return decay_loss(check, check_number(check, BETA1), check_before(check, M)[i],
                      check_input(check, DW)[i], rounded_first(check));
}

static double square_loss(const layers_check *check, size_t i) {
    double dw = check_input(check, DW)[i];
    return decay_loss(check, check_number(check, BETA2), check_before(check, V)[i], dw * dw,
                      1 + 2 * rounded_first(check));
}

/* A mean that is off by *lost, divided by 1 − betaᵗ; *lost becomes what the quotient is off by. */
static double corrected(const layers_check *check, double beta, double mean, double *lost) {
    double t = check_number(check, T), power = pow(beta, t), share = 1 - power;
    double relative = check->unit * ((2 * t + 4) * power / share + 1);
    *lost = *lost / share + fabs(mean) / share * (relative + 2 * check->unit);
    if (!(relative < 0.25))
        *lost = INFINITY;
    return mean / share;
}

static double step_loss(const layers_check *check, size_t i) {
    double mean = check_values(check, CLAIM_PARAM(M))[i], mean_lost = mean_loss(check, i);
    double square = check_values(check, CLAIM_PARAM(V))[i], square_lost = square_loss(check, i);
    if (isfinite(square) && square > 0.99 * check->huge)
        return INFINITY;
    mean = corrected(check, check_number(check, BETA1), mean, &mean_lost);
    square = corrected(check, check_number(check, BETA2), square, &square_lost);
    return quotient_loss(check, check_number(check, LEARNING_RATE), mean, mean_lost, sqrt(square),
                         root_loss(check, square, square_lost), check_number(check, EPSILON));
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const double *w = check_input(check, W), *next = check_values(check, 0);
    for (size_t i = first; i < first + count; i++)
        to[i - first] = output == 0 ? step_bound(check, w[i], next[i], step_loss(check, i))
                        : output == CLAIM_PARAM(M) ? 4 * mean_loss(check, i)
                                                   : 4 * square_loss(check, i);
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
    ROOT_MISSING,
    NOT_WEIGHED,
    M_LOST,
    V_LOST,
    CORRECTED_STORED,
    NOT_STORED,
    WEIGHT_DECAY,
    DECOUPLED_DECAY,
};

/* One element before the step, and the call's parameters; t is that of after the step. */
typedef struct {
    double rate, beta1, beta2, epsilon, t;
    double w, dw, m, v;
} element;

static element element_of(const fault_view *view, size_t i) {
    const layers_check *check = view->check;
    element e = {.rate = check_number(check, LEARNING_RATE),
                 .beta1 = check_number(check, BETA1),
                 .beta2 = check_number(check, BETA2),
                 .epsilon = check_number(check, EPSILON),
                 .t = check_number(check, T),
                 .w = check_input(check, W)[i],
                 .dw = check_input(check, DW)[i],
                 .m = check_before(check, M)[i],
                 .v = check_before(check, V)[i]};
    switch (view->fault->variant) {
    case BETAS_SWAPPED:
        e.beta1 = check_number(check, BETA2);
        e.beta2 = check_number(check, BETA1);
        break;
    case WEIGHT_DECAY:
        e.dw += *(const double *)view->fault->how * e.w;
        break;
    case T_AHEAD:
        e.t += 1;
        break;
    case T_BEHIND:
        e.t -= 1;
        break;
    }
    return e;
}

/* m and v after the step. */
static double mean_of(const element *e, int variant) {
    double stays = e->beta1 * e->m;
    return variant == DECAY_SWAPPED ? (1 - e->beta1) * e->m + e->beta1 * e->dw
           : variant == M_LOST      ? (1 - e->beta1) * e->dw
           : variant == NOT_WEIGHED ? stays + e->dw
                                    : stays + (1 - e->beta1) * e->dw;
}

static double square_of(const element *e, int variant) {
    double stays = e->beta2 * e->v, square = variant == SQUARE_MISSING ? e->dw : e->dw * e->dw;
    return variant == DECAY_SWAPPED ? (1 - e->beta2) * e->v + e->beta2 * square
           : variant == V_LOST      ? (1 - e->beta2) * square
           : variant == NOT_WEIGHED ? stays + square
                                    : stays + (1 - e->beta2) * square;
}

static double next_of(const element *e, const layers_fault *fault) {
    double m = mean_of(e, fault->variant), v = square_of(e, fault->variant);
    double m_share = 1 - pow(e->beta1, e->t), v_share = 1 - pow(e->beta2, e->t);
    double mean = m / m_share, root = sqrt(v / v_share);
    switch (fault->variant) {
    case GRADIENT_SIGN:
        return e->w + e->rate * mean / (root + e->epsilon);
    case RATE_MISSING:
        return e->w - mean / (root + e->epsilon);
    case EPS_BEFORE_CORRECTION:
        return e->w - e->rate * sqrt(v_share) / m_share * m / (sqrt(v) + e->epsilon);
    case EPS_INSIDE:
        return e->w - e->rate * mean / sqrt(v / v_share + e->epsilon);
    case EPS_MISSING:
        return e->w - e->rate * mean / root;
    case NOT_CORRECTED:
        return e->w - e->rate * m / (sqrt(v) + e->epsilon);
    case ONLY_M_CORRECTED:
        return e->w - e->rate * mean / (sqrt(v) + e->epsilon);
    case ONLY_V_CORRECTED:
        return e->w - e->rate * m / (root + e->epsilon);
    case MULTIPLIED:
        return e->w - e->rate * m * m_share / (sqrt(v * v_share) + e->epsilon);
    case ROOT_MISSING:
        return e->w - e->rate * mean / (v / v_share + e->epsilon);
    case DECOUPLED_DECAY:
        return e->w - e->rate * (mean / (root + e->epsilon) + *(const double *)fault->how * e->w);
    default:
        return e->w - e->rate * mean / (root + e->epsilon);
    }
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    int variant = view->fault->variant;
    bool mean = view->output == CLAIM_PARAM(M);
    for (size_t i = first; i < first + count; i++) {
        element e = element_of(view, i);
        double moved = mean ? mean_of(&e, variant) : square_of(&e, variant);
        to[i - first] = view->output == 0 ? next_of(&e, view->fault)
                        : variant == CORRECTED_STORED
                            ? moved / (1 - pow(mean ? e.beta1 : e.beta2, e.t))
                        : variant == NOT_STORED ? (mean ? e.m : e.v)
                                                : moved;
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
            FAULT("root_missing", NEXT, FAULT_PLAIN, ROOT_MISSING,
                  "the step was divided by v: divide it by v's root"),
            FAULT("not_weighed", NEXT | MEAN | SQUARE, FAULT_PLAIN, NOT_WEIGHED,
                  "dw and dw² were added whole: they are weighed by 1 − beta1 and 1 − beta2"),
            FAULT("m_lost", NEXT | MEAN, FAULT_SPECIAL, M_LOST,
                  "the m that came in config was not used: m is beta1 · m + (1 − beta1) · dw"),
            FAULT("v_lost", NEXT | SQUARE, FAULT_SPECIAL, V_LOST,
                  "the v that came in config was not used: v is beta2 · v + (1 − beta2) · dw²"),
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
