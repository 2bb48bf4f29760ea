/* What right and wrong answers to sgd look like: a product of a rounded rate, and a difference. */
#include "answers/steps.h"
#include "checks/check.h"

enum { LEARNING_RATE }; /* config */

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const double *w = check_input(check, W), *dw = check_input(check, DW);
    const double *next = check_values(check, output);
    double rate = check_number(check, LEARNING_RATE), units = 2 + rounded_first(check);
    for (size_t i = first; i < first + count; i++) {
        double step = rate * fabs(dw[i]);
        double lost = step > 0 ? units * check->unit * step + check->tiny : 0;
        to[i - first] = step_bound(check, w[i], next[i], lost);
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    GRADIENT_SIGN,
    RATE_MISSING,
    WEIGHTS_MISSING,
    WEIGHT_DECAY,
};

static void fill(const fault_view *view, size_t first, size_t count, double *to) {
    const double *w = check_input(view->check, W), *dw = check_input(view->check, DW);
    const double *share = view->fault->how;
    double rate = check_number(view->check, LEARNING_RATE);
    for (size_t i = first; i < first + count; i++) {
        double *next = &to[i - first];
        switch (view->fault->variant) {
        case GRADIENT_SIGN:
            *next = w[i] + rate * dw[i];
            break;
        case RATE_MISSING:
            *next = w[i] - dw[i];
            break;
        case WEIGHTS_MISSING:
            *next = -rate * dw[i];
            break;
        case WEIGHT_DECAY:
            *next = w[i] - rate * (dw[i] + *share * w[i]);
            break;
        }
    }
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* A rate above 1, and gradients that leave a share of w to be seen beside them. */
static void adjust(layers_drawing *drawing, layers_call *asked) {
    double *w = asked->inputs[W].data, *dw = asked->inputs[DW].data;
    draw_set_number(asked, LEARNING_RATE, draw_number(drawing, 2, 4));
    for (size_t i = 0; i < asked->inputs[W].size; i++) {
        w[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 1, 2);
        dw[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 0.125, 0.5);
    }
}

static const layers_case cases[] = {
    {.name = "plain", .tail = {3, 4}, .adjust = adjust},
    {0},
};

/* clang-format off */
#define FAULT(name, how_kind, which, share, words)                                                 \
    {                                                                                              \
        .code = (name), .says = (words), .outputs = CLAIM_BIT(0), .kind = (how_kind),              \
        .variant = (which), .how = (share), .fill = fill,                                          \
    }

#define DECAY(i)                                                                                   \
    FAULT("weight_decay", FAULT_SPECIAL, WEIGHT_DECAY, &weight_decays[i],                          \
          "a share of w was added to dw: here weights do not decay")
/* clang-format on */

const layers_answers sgd_update_answers = {
    .bound = bound,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("gradient_sign", FAULT_PLAIN, GRADIENT_SIGN, NULL,
                  "the step goes up the gradient: subtract it"),
            FAULT("rate_missing", FAULT_PLAIN, RATE_MISSING, NULL,
                  "dw was not multiplied by learning_rate"),
            FAULT("weights_missing", FAULT_PLAIN, WEIGHTS_MISSING, NULL,
                  "this is the step alone: next_w is w with the step added"),
            DECAY(0),
            DECAY(1),
            DECAY(2),
            DECAY(3),
            {0},
        },
};
