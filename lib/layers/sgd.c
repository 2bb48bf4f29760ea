/* sgd: next_w = w − learning_rate · dw. */
#ifndef REAL
#include <math.h>

#include "call.h"

enum { W, DW };         /* inputs */
enum { LEARNING_RATE }; /* config */

#define THIS_FILE "layers/sgd.c"
#include "both_dtypes.h"

const layers_operation sgd_update = {
    .layer = "sgd",
    .name = "update",
    .summary = "Stochastic gradient descent: next_w = w − learning_rate · dw.",
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
            {0},
        },
    .run = {update_f64, update_f32},
};

#else /* the kernel, for REAL */

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    const REAL *w = call->inputs[W].data, *dw = call->inputs[DW].data;
    REAL *next_w = call->outputs[0].data, rate = (REAL)call->params[LEARNING_RATE].number;
    for (size_t i = 0; i < call->inputs[W].size; i++)
        next_w[i] = w[i] - rate * dw[i];
    return LAYERS_OK;
}

#endif
