/* sgd_momentum: v = momentum · v − learning_rate · dw, next_w = w + v. */
#ifndef REAL
#include "kernel.h"
#include "updates.h"

extern const layers_answers sgd_momentum_update_answers;

enum { LEARNING_RATE, MOMENTUM, VELOCITY }; /* config */

#define NANOSECONDS (sizeof(REAL) / 16.0) /* an element, for one thread */
#define THIS_FILE   "layers/sgd_momentum.c"
#include "both_dtypes.h"

const layers_operation sgd_momentum_update = {
    .layer = "sgd_momentum",
    .name = "update",
    .summary =
        "Gradient descent with momentum: v = momentum · v − learning_rate · dw, next_w = w + v.",
    .inputs = update_inputs,
    .outputs = update_outputs,
    .params_name = "config",
    .params_back = true,
    .params =
        (const layers_param[]){
            UPDATE_LEARNING_RATE(1e-2),
            {
                .name = "momentum",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 0.9,
                .minimum = 0,
                .maximum = 1,
                .summary = "share of the velocity that stays",
            },
            {
                .name = "velocity",
                .kind = LAYERS_TENSOR,
                .shape = "...",
                .summary = "the last step; zeros where absent",
            },
            {0},
        },
    .run = {update_f64, update_f32},
    .answers = &sgd_momentum_update_answers,
};

#else /* the kernel, for REAL */

typedef struct {
    const REAL *w, *dw, *velocity_before;
    REAL *velocity, *next_w, rate, momentum;
} typed(pass);

KERNEL void typed(step)(const void *pass, size_t first, size_t end) {
    const typed(pass) s = *(const typed(pass) *)pass;
    INDEPENDENT
    for (size_t i = first; i < end; i++) {
        REAL velocity = s.momentum * s.velocity_before[i] - s.rate * s.dw[i];
        s.velocity[i] = velocity;
        s.next_w[i] = s.w[i] + velocity;
    }
}

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    const layers_value *config = call->params;
    typed(pass) pass = {
        .w = call->inputs[UPDATE_W].data,
        .dw = call->inputs[UPDATE_DW].data,
        .velocity_before = config[VELOCITY].before.data,
        .velocity = config[VELOCITY].tensor.data,
        .next_w = call->outputs[0].data,
        .rate = (REAL)config[LEARNING_RATE].number,
        .momentum = (REAL)config[MOMENTUM].number,
    };
    update_elements(call, NANOSECONDS, typed(step), &pass);
    return LAYERS_OK;
}

#endif
