/* What right and wrong answers to relu look like. Nothing is rounded on the way, so a right answer
 * is the right one exactly, but for inputs that were rounded to the claims' precision first. */
#include <math.h>

#include "checks/check.h"

enum { X }; /* forward's input */

static void bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    const double *x = check_input(check, X), *right = check_values(check, output);
    bool backward = check->backward.operation;
    for (size_t i = first; i < first + count; i++) {
        bool rounds = check->rounded && right[i] != 0 && isfinite(right[i]);
        bool vanishes = check->rounded && x[i] > 0 && x[i] < check->tiny; /* and dx with it */
        to[i - first] = backward && (isnan(x[i]) || vanishes) ? INFINITY
                        : rounds ? 2 * check->unit * fabs(right[i]) + 4 * check->tiny
                                 : 0;
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

enum {
    MASK_INVERTED,
    LEAKY,
    ABSOLUTE,
    MASK_ONLY,
    NAN_DROPPED,
};

static void forward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    const double *x = check_input(view->check, X);
    const double *slope = view->fault->how;
    for (size_t i = first; i < first + count; i++) {
        double *out = &to[i - first];
        switch (view->fault->variant) {
        case MASK_INVERTED:
            *out = x[i] > 0 ? 0 : x[i];
            break;
        case LEAKY:
            *out = x[i] > 0 ? x[i] : *slope * x[i];
            break;
        case ABSOLUTE:
            *out = fabs(x[i]);
            break;
        case MASK_ONLY:
            *out = x[i] > 0;
            break;
        case NAN_DROPPED:
            *out = x[i] > 0 ? x[i] : 0;
            break;
        }
    }
}

enum {
    MASK_FROM_DOUT,
    DX_LEAKY,
    DX_MASK_INVERTED,
    SCALED_BY_X,
    DX_MASK_ONLY,
    NOT_MASKED,
    AT_ZERO,
};

static void backward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    const double *x = check_input(view->check, X), *dout = check_dout(view->check);
    const double *share = view->fault->how;
    for (size_t i = first; i < first + count; i++) {
        double *dx = &to[i - first];
        switch (view->fault->variant) {
        case MASK_FROM_DOUT:
            *dx = dout[i] > 0 ? dout[i] : 0;
            break;
        case DX_LEAKY:
            *dx = x[i] > 0 ? dout[i] : *share * dout[i];
            break;
        case DX_MASK_INVERTED:
            *dx = x[i] > 0 ? 0 : dout[i];
            break;
        case SCALED_BY_X:
            *dx = x[i] > 0 ? dout[i] * x[i] : 0;
            break;
        case DX_MASK_ONLY:
            *dx = x[i] > 0;
            break;
        case NOT_MASKED:
            *dx = dout[i];
            break;
        case AT_ZERO:
            *dx = x[i] > 0 ? dout[i] : x[i] == 0 ? *share * dout[i] : 0;
            break;
        }
    }
}

static const double tenth = 0.1, fifth = 0.2, hundredth = 0.01, thousandth = 0.001;
static const double whole = 1, half = 0.5;

static bool has_nan(const layers_check *check) {
    const layers_tensor *x = &check->forward.inputs[X];
    bool any = false;
    for (size_t i = 0; i < x->size; i++)
        any |= isnan(((const double *)x->data)[i]);
    return any;
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* No x within 1/8 of 0, and some on either side. */
static void adjust(layers_drawing *drawing, layers_call *asked) {
    double *x = asked->inputs[X].data;
    for (size_t i = 0; i < asked->inputs[X].size; i++) {
        bool above = i < 2 ? i == 0 : draw_below(drawing, 2);
        x[i] = (above ? 1 : -1) * draw_number(drawing, 0.125, 2);
    }
}

static const layers_case cases[] = {
    {.name = "plain", .tail = {4, 5}, .adjust = adjust},
    {.name = "images", .tail = {3, 2, 4, 2}, .adjust = adjust},
    {0},
};

/* clang-format off */
#define FORWARD_FAULT(name, words, ...)                                                            \
    { .code = name, .says = words, .outputs = CLAIM_BIT(0), .fill = forward_fault, __VA_ARGS__ }

#define BACKWARD_FAULT(name, words, ...)                                                           \
    { .code = name, .says = words, .outputs = CLAIM_BIT(0), .fill = backward_fault, __VA_ARGS__ }

#define LEAKY_FAULT(share)                                                                         \
    FORWARD_FAULT("leaky", "out has a slope below 0: what is not above 0 is to become 0",          \
                  .variant = LEAKY, .how = share)

#define DX_LEAKY_FAULT(share)                                                                      \
    BACKWARD_FAULT("leaky", "a share of dout passes where x is not above 0: dx is to be 0 there",  \
                   .variant = DX_LEAKY, .how = share)

/* clang-format on */

const layers_answers relu_forward_answers = {
    .bound = bound,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FORWARD_FAULT("mask_inverted",
                          "out is min(x, 0): what is above 0 is to stay, the rest to become 0",
                          .variant = MASK_INVERTED),
            LEAKY_FAULT(&hundredth),
            LEAKY_FAULT(&thousandth),
            LEAKY_FAULT(&tenth),
            LEAKY_FAULT(&fifth),
            FORWARD_FAULT("absolute",
                          "out is |x|: what is below 0 is to become 0, not to change its sign",
                          .variant = ABSOLUTE),
            FORWARD_FAULT("mask_only", "out is 1 where x is above 0: it is to be x there",
                          .variant = MASK_ONLY),
            FORWARD_FAULT("nan_dropped", "NaN became 0: NaN is to stay NaN", .variant = NAN_DROPPED,
                          .kind = FAULT_SPECIAL, .applies = has_nan),
            {0},
        },
};

const layers_answers relu_backward_answers = {
    .bound = bound,
    .unclear = "at an x of NaN the gradient is dout, 0 or NaN, as implementations that are called "
               "right have it, and at one that float32 rounds to 0 it is dout or 0: send others",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            BACKWARD_FAULT("mask_from_dout",
                           "dx is dout where dout is above 0: x is to decide where dout passes",
                           .variant = MASK_FROM_DOUT),
            DX_LEAKY_FAULT(&hundredth),
            DX_LEAKY_FAULT(&thousandth),
            DX_LEAKY_FAULT(&tenth),
            DX_LEAKY_FAULT(&fifth),
            BACKWARD_FAULT("mask_inverted",
                           "dout passes where x is not above 0: it is to pass where x is above 0",
                           .variant = DX_MASK_INVERTED),
            BACKWARD_FAULT("scaled_by_x",
                           "dx is dout · relu(x): where x is above 0 the slope is 1, not x",
                           .variant = SCALED_BY_X),
            BACKWARD_FAULT("mask_only", "dx is 1 where x is above 0: dout was not multiplied in",
                           .variant = DX_MASK_ONLY),
            BACKWARD_FAULT("not_masked", "dx is dout: where x is not above 0 it is to be 0",
                           .variant = NOT_MASKED),
            BACKWARD_FAULT("zero_passes",
                           "dout passes where x is 0, as x >= 0 has it: here the slope at 0 is 0, "
                           "so send an x without zeros to see the rest",
                           .variant = AT_ZERO, .how = &whole, .kind = FAULT_CONVENTION),
            BACKWARD_FAULT("zero_half",
                           "half of dout passes where x is 0: here the slope at 0 is 0, so send an "
                           "x without zeros to see the rest",
                           .variant = AT_ZERO, .how = &half, .kind = FAULT_CONVENTION),
            {0},
        },
};
