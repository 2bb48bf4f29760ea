/* What right and wrong answers to rmsprop look like: a mean that decays, and a gradient over its
 * root (answers/steps.h). */
#include "answers/steps.h"
#include "checks/check.h"

enum { LEARNING_RATE, DECAY_RATE, EPSILON, CACHE }; /* config */

enum { NEXT = CLAIM_BIT(0), MOVED = CLAIM_BIT(CLAIM_PARAM(CACHE)) };

static double cache_loss(const layers_check *check, size_t i) {
    double dw = check_input(check, DW)[i];
    return decay_loss(check, check_number(check, DECAY_RATE), check_before(check, CACHE)[i],
                      dw * dw, 1 + 2 * rounded_first(check));
}

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const double *w = check_input(check, W), *dw = check_input(check, DW);
    const double *cache = check_values(check, CLAIM_PARAM(CACHE));
    const double *next = check_values(check, 0);
    for (size_t i = first; i < first + count; i++) {
        double lost = cache_loss(check, i);
        if (output == 0) {
            double roughly = rounded_first(check) * check->unit * fabs(dw[i]);
            lost = quotient_loss(check, check_number(check, LEARNING_RATE), dw[i], roughly,
                                 sqrt(cache[i]), root_loss(check, cache[i], lost),
                                 check_number(check, EPSILON));
            if (isfinite(cache[i]) && cache[i] > 0.99 * check->huge)
                lost = INFINITY;
        }
        to[i - first] =
            output == 0 ? step_bound(check, w[i], next[i], lost) : bound_of(cache[i], lost);
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    GRADIENT_SIGN,
    RATE_MISSING,
    EPS_INSIDE,
    EPS_MISSING,
    DECAY_SWAPPED,
    ROOT_MISSING,
    SQUARE_MISSING,
    ABSOLUTE,
    CACHE_LOST,
    NOT_WEIGHED,
    NOT_STORED,
    OLD_CACHE,
    WEIGHT_DECAY,
};

typedef struct {
    double rate, decay, epsilon, w, dw, cache;
} element;

/* The mean square after the step. */
static double moved(const element *e, const layers_fault *fault) {
    double decay = e->decay, square = e->dw * e->dw;
    switch (fault->variant) {
    case DECAY_SWAPPED:
        return (1 - decay) * e->cache + decay * square;
    case SQUARE_MISSING:
        return decay * e->cache + (1 - decay) * e->dw;
    case ABSOLUTE:
        return decay * e->cache + (1 - decay) * fabs(e->dw);
    case CACHE_LOST:
        return (1 - decay) * square;
    case NOT_WEIGHED:
        return decay * e->cache + square;
    default:
        return decay * e->cache + (1 - decay) * square;
    }
}

static double next_of(const element *e, const layers_fault *fault) {
    double cache = moved(e, fault), step = e->rate * e->dw;
    switch (fault->variant) {
    case GRADIENT_SIGN:
        return e->w + step / (sqrt(cache) + e->epsilon);
    case RATE_MISSING:
        return e->w - e->dw / (sqrt(cache) + e->epsilon);
    case EPS_INSIDE:
        return e->w - step / sqrt(cache + e->epsilon);
    case EPS_MISSING:
        return e->w - step / sqrt(cache);
    case ROOT_MISSING:
        return e->w - step / (cache + e->epsilon);
    case OLD_CACHE:
        return e->w - step / (sqrt(e->cache) + e->epsilon);
    default:
        return e->w - step / (sqrt(cache) + e->epsilon);
    }
}

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    const layers_check *check = view->check;
    const double *w = check_input(check, W), *dw = check_input(check, DW);
    const double *cache = check_before(check, CACHE);
    bool decays = view->fault->variant == WEIGHT_DECAY;
    double share = decays ? *(const double *)view->fault->how : 0;
    for (size_t i = first; i < first + count; i++) {
        const element e = {.rate = check_number(check, LEARNING_RATE),
                           .decay = check_number(check, DECAY_RATE),
                           .epsilon = check_number(check, EPSILON),
                           .w = w[i],
                           .dw = dw[i] + share * w[i],
                           .cache = cache[i]};
        to[i - first] = view->output == 0                    ? next_of(&e, view->fault)
                        : view->fault->variant == NOT_STORED ? e.cache
                                                             : moved(&e, view->fault);
    }
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* The first step. An epsilon near the roots, or its places could not be told apart. */
static void adjust(layers_drawing *drawing, layers_call *asked) {
    double *w = asked->inputs[W].data, *dw = asked->inputs[DW].data;
    draw_set_number(asked, LEARNING_RATE, draw_number(drawing, 2, 4));
    draw_set_number(asked, DECAY_RATE, draw_number(drawing, 0.625, 0.875));
    draw_set_number(asked, EPSILON, draw_number(drawing, 0.125, 0.375));
    for (size_t i = 0; i < asked->inputs[W].size; i++) {
        w[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 1, 2);
        dw[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 0.125, 0.75);
    }
}

static void adjust_later(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked);
    draw_param(drawing, asked, CACHE, 0.0625, 0.5);
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

const layers_answers rmsprop_update_answers = {
    .bound = bound,
    .unclear = "in this precision epsilon is 0 or a square too large, so the step cannot be told: "
               "send float64, or numbers of more even size",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("gradient_sign", NEXT, FAULT_PLAIN, GRADIENT_SIGN,
                  "the step goes up the gradient: subtract it"),
            FAULT("rate_missing", NEXT, FAULT_PLAIN, RATE_MISSING,
                  "the step was not multiplied by learning_rate"),
            FAULT("eps_inside_root", NEXT, FAULT_PLAIN, EPS_INSIDE,
                  "epsilon was added inside the root: it is added to the root, sqrt(c) + epsilon"),
            FAULT("eps_missing", NEXT, FAULT_PLAIN, EPS_MISSING,
                  "epsilon was left out: the step is divided by sqrt(c) + epsilon"),
            FAULT("decay_swapped", NEXT | MOVED, FAULT_PLAIN, DECAY_SWAPPED,
                  "decay_rate weighs the new square: it is the share of the old cache that stays"),
            FAULT("root_missing", NEXT, FAULT_PLAIN, ROOT_MISSING,
                  "the step was divided by the mean square: divide it by its root"),
            FAULT("square_missing", NEXT | MOVED, FAULT_PLAIN, SQUARE_MISSING,
                  "the cache is a mean of dw: it is one of dw²"),
            FAULT("square_missing", NEXT | MOVED, FAULT_PLAIN, ABSOLUTE,
                  "the cache is a mean of |dw|: it is one of dw²"),
            FAULT("cache_lost", NEXT | MOVED, FAULT_SPECIAL, CACHE_LOST,
                  "the cache that came in config was not used: c is decay_rate · c + (1 − "
                  "decay_rate) · dw²"),
            FAULT("not_weighed", NEXT | MOVED, FAULT_PLAIN, NOT_WEIGHED,
                  "dw² was added whole: it is weighed by 1 − decay_rate"),
            FAULT("cache_not_stored", MOVED, FAULT_PLAIN, NOT_STORED,
                  "the cache in config is that of before the step: give back the new one"),
            FAULT("old_cache", NEXT, FAULT_SPECIAL, OLD_CACHE,
                  "the cache of before the step was divided by: divide by the new one's root"),
            DECAY(0),
            DECAY(1),
            DECAY(2),
            DECAY(3),
            {0},
        },
};
