/* rmsprop: c = decay_rate · c + (1 − decay_rate) · dw²,
 * next_w = w − learning_rate · dw / (sqrt(c) + epsilon). */
#ifndef REAL
#include <math.h>

#include "call.h"

enum { W, DW };                                     /* inputs */
enum { LEARNING_RATE, DECAY_RATE, EPSILON, CACHE }; /* config */

#define THIS_FILE "layers/rmsprop.c"
#include "both_dtypes.h"

const layers_operation rmsprop_update = {
    .layer = "rmsprop",
    .name = "update",
    .summary = "RMSProp: c = decay_rate · c + (1 − decay_rate) · dw², next_w = w − learning_rate · "
               "dw / (sqrt(c) + epsilon).",
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
                .name = "decay_rate",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 0.99,
                .minimum = 0,
                .maximum = 1,
                .summary = "share of the mean square that stays",
            },
            {
                .name = "epsilon",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 1e-8,
                .minimum = 0,
                .open_minimum = true,
                .maximum = 0x1.fffffffffffffp1023,
                .summary = "added to the root",
            },
            {
                .name = "cache",
                .kind = LAYERS_TENSOR,
                .shape = "...",
                .summary = "mean square of the gradients; zeros where absent",
            },
            {0},
        },
    .run = {update_f64, update_f32},
};

#else /* the kernel, for REAL */

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    const layers_value *config = call->params;
    const REAL *w = call->inputs[W].data, *dw = call->inputs[DW].data,
               *before = config[CACHE].before.data;
    REAL *c = config[CACHE].tensor.data, *next_w = call->outputs[0].data;
    REAL rate = (REAL)config[LEARNING_RATE].number, epsilon = (REAL)config[EPSILON].number;
    REAL stays = (REAL)config[DECAY_RATE].number, comes = (REAL)(1 - config[DECAY_RATE].number);
    for (size_t i = 0; i < call->inputs[W].size; i++) {
        c[i] = stays * before[i] + comes * (dw[i] * dw[i]);
        next_w[i] = w[i] - rate * dw[i] / ((REAL)sqrt(c[i]) + epsilon);
    }
    return LAYERS_OK;
}

#endif
