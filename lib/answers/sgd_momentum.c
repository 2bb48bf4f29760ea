/* What right and wrong answers to sgd_momentum look like: two products of rounded parameters and
 * their difference, which w is added to, or the three in another order. */
#include "answers/steps.h"
#include "checks/check.h"

enum { LEARNING_RATE, MOMENTUM, VELOCITY }; /* config */

enum { NEXT = CLAIM_BIT(0), MOVED = CLAIM_BIT(CLAIM_PARAM(VELOCITY)) };

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const double *w = check_input(check, W), *dw = check_input(check, DW);
    const double *velocity = check_before(check, VELOCITY), *right = check_values(check, output);
    double rate = check_number(check, LEARNING_RATE), momentum = check_number(check, MOMENTUM);
    double units = 3 + rounded_first(check);
    for (size_t i = first; i < first + count; i++) {
        double stays = momentum * fabs(velocity[i]), sum = stays + rate * fabs(dw[i]);
        double lost = sum > 0 ? units * check->unit * sum + 2 * check->tiny : 0;
        if (output == 0)
            lost += sum > 0 ? check->unit * (fabs(w[i]) + stays) : 0;
        to[i - first] =
            output == 0 ? step_bound(check, w[i], right[i], lost) : bound_of(right[i], lost);
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    GRADIENT_SIGN,
    RATE_MISSING,
    WITHOUT_RATE,
    VELOCITY_NEGATED,
    NESTEROV,
    DAMPENED,
    VELOCITY_LOST,
    MOMENTUM_MISSING,
    NOT_STORED,
    OLD_VELOCITY,
    WEIGHT_DECAY,
};

typedef struct {
    double rate, momentum, w, dw, velocity;
} element;

/* The velocity after the step. */
static double moved(const element *e, const layers_fault *fault) {
    double stays = e->momentum * e->velocity, step = e->rate * e->dw;
    switch (fault->variant) {
    case GRADIENT_SIGN:
    case VELOCITY_NEGATED:
        return stays + step;
    case RATE_MISSING:
        return stays - e->dw;
    case WITHOUT_RATE:
        return stays + e->dw;
    case DAMPENED:
        return stays - (1 - e->momentum) * step;
    case VELOCITY_LOST:
        return -step;
    case MOMENTUM_MISSING:
        return e->velocity - step;
    case WEIGHT_DECAY:
        return stays - e->rate * (e->dw + *(const double *)fault->how * e->w);
    default:
        return stays - step;
    }
}

static double next_of(const element *e, const layers_fault *fault) {
    double velocity = moved(e, fault);
    switch (fault->variant) {
    case VELOCITY_NEGATED:
        return e->w - velocity;
    case WITHOUT_RATE:
        return e->w - e->rate * velocity;
    case NESTEROV:
        return e->w + e->momentum * velocity - e->rate * e->dw;
    case OLD_VELOCITY:
        return e->w + e->velocity;
    default:
        return e->w + velocity;
    }
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    const layers_check *check = view->check;
    const double *w = check_input(check, W), *dw = check_input(check, DW);
    const double *velocity = check_before(check, VELOCITY);
    for (size_t i = first; i < first + count; i++) {
        const element e = {check_number(check, LEARNING_RATE), check_number(check, MOMENTUM), w[i],
                           dw[i], velocity[i]};
        to[i - first] = view->output == 0                    ? next_of(&e, view->fault)
                        : view->fault->variant == NOT_STORED ? e.velocity
                                                             : moved(&e, view->fault);
    }
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* The first step, of no velocity. */
static void adjust(layers_drawing *drawing, layers_call *asked) {
    double *w = asked->inputs[W].data, *dw = asked->inputs[DW].data;
    draw_set_number(asked, LEARNING_RATE, draw_number(drawing, 2, 4));
    draw_set_number(asked, MOMENTUM, draw_number(drawing, 0.625, 0.875));
    for (size_t i = 0; i < asked->inputs[W].size; i++) {
        w[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 1, 2);
        dw[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 0.125, 0.5);
    }
}

static void adjust_later(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked);
    draw_param(drawing, asked, VELOCITY, -2, 2);
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
        .outputs = NEXT | MOVED, .kind = FAULT_SPECIAL,                                            \
        .variant = WEIGHT_DECAY, .how = &weight_decays[i], .fill = fill,                           \
    }
/* clang-format on */

const layers_answers sgd_momentum_update_answers = {
    .bound = bound,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("gradient_sign", NEXT | MOVED, FAULT_PLAIN, GRADIENT_SIGN,
                  "the velocity goes up the gradient: v is momentum · v − learning_rate · dw"),
            FAULT("velocity_negated", NEXT | MOVED, FAULT_SPECIAL, VELOCITY_NEGATED,
                  "the velocity has the other sign: v is momentum · v − learning_rate · dw, and is "
                  "added to w"),
            FAULT("velocity_without_rate", NEXT | MOVED, FAULT_SPECIAL, WITHOUT_RATE,
                  "the velocity is momentum · v + dw, without the rate: here it is momentum · v − "
                  "learning_rate · dw"),
            FAULT("rate_missing", NEXT | MOVED, FAULT_PLAIN, RATE_MISSING,
                  "dw was not multiplied by learning_rate"),
            FAULT("nesterov", NEXT, FAULT_PLAIN, NESTEROV,
                  "this is Nesterov's momentum, which looks ahead: next_w is w + v"),
            FAULT("dampened", NEXT | MOVED, FAULT_PLAIN, DAMPENED,
                  "the gradient was weighed by 1 − momentum: v is momentum · v − learning_rate · "
                  "dw"),
            FAULT("velocity_lost", NEXT | MOVED, FAULT_SPECIAL, VELOCITY_LOST,
                  "the velocity that came in config was not used: v is momentum · v − "
                  "learning_rate · dw"),
            FAULT("momentum_missing", NEXT | MOVED, FAULT_SPECIAL, MOMENTUM_MISSING,
                  "the velocity was not multiplied by momentum: v is momentum · v − learning_rate "
                  "· dw"),
            FAULT("velocity_not_stored", MOVED, FAULT_PLAIN, NOT_STORED,
                  "the velocity in config is that of before the step: give back the new one"),
            FAULT("old_velocity", NEXT, FAULT_PLAIN, OLD_VELOCITY,
                  "the velocity of before the step was added to w: add the new one"),
            DECAY(0),
            DECAY(1),
            DECAY(2),
            DECAY(3),
            {0},
        },
};
