/* sgd_momentum: v = momentum · v − learning_rate · dw, next_w = w + v. */
#ifndef REAL
#include <math.h>

#include "call.h"

enum { W, DW };                             /* inputs */
enum { LEARNING_RATE, MOMENTUM, VELOCITY }; /* config */

#define THIS_FILE "layers/sgd_momentum.c"
#include "both_dtypes.h"

const layers_operation sgd_momentum_update = {
    .layer = "sgd_momentum",
    .name = "update",
    .summary =
        "Gradient descent with momentum: v = momentum · v − learning_rate · dw, next_w = w + v.",
    .inputs =
        (const layers_field[]){
            {.name = "w", .shape = "...", .summary = "weights"},
            {.name = "dw", .shape = "...", .summary = "gradient of w"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "next_w", .shape = "...", .summary = "the weights after the step"},
            {0},
        },
    .params_name = "config",
    .params =
        (const layers_param[]){
            {
                .name = "learning_rate",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 1e-2,
                .minimum = 0,
                .maximum = 0x1.fffffffffffffp1023,
                .summary = "length of the step",
            },
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
};

#else /* the kernel, for REAL */

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    const REAL *w = call->inputs[W].data, *dw = call->inputs[DW].data;
    const REAL *before = call->params[VELOCITY].before.data;
    REAL *v = call->params[VELOCITY].tensor.data, *next_w = call->outputs[0].data;
    REAL rate = (REAL)call->params[LEARNING_RATE].number,
         momentum = (REAL)call->params[MOMENTUM].number;
    for (size_t i = 0; i < call->inputs[W].size; i++) {
        v[i] = momentum * before[i] - rate * dw[i];
        next_w[i] = w[i] + v[i];
    }
    return LAYERS_OK;
}

#endif
