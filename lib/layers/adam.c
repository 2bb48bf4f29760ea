/* adam: t = t + 1, m = beta1 · m + (1 − beta1) · dw, v = beta2 · v + (1 − beta2) · dw²,
 * next_w = w − learning_rate · (m / (1 − beta1ᵗ)) / (sqrt(v / (1 − beta2ᵗ)) + epsilon). */
#ifndef REAL
#include <math.h>

#include "call.h"

enum { W, DW };                                         /* inputs */
enum { LEARNING_RATE, BETA1, BETA2, EPSILON, M, V, T }; /* config */

#define THIS_FILE "layers/adam.c"
#include "both_dtypes.h"

const layers_operation adam_update = {
    .layer = "adam",
    .name = "update",
    .summary = "Adam: t, m and v move, next_w = w − learning_rate · (m / (1 − beta1ᵗ)) / (sqrt(v / "
               "(1 − beta2ᵗ)) + epsilon).",
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
                .fallback = 1e-3,
                .minimum = 0,
                .maximum = 0x1.fffffffffffffp1023,
                .summary = "length of the step",
            },
            {
                .name = "beta1",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 0.9,
                .minimum = 0,
                .maximum = 1,
                .open_maximum = true,
                .summary = "share of the mean gradient that stays",
            },
            {
                .name = "beta2",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 0.999,
                .minimum = 0,
                .maximum = 1,
                .open_maximum = true,
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
                .name = "m",
                .kind = LAYERS_TENSOR,
                .shape = "...",
                .summary = "mean of the gradients; zeros where absent",
            },
            {
                .name = "v",
                .kind = LAYERS_TENSOR,
                .shape = "...",
                .summary = "mean of their squares; zeros where absent",
            },
            {
                .name = "t",
                .kind = LAYERS_INTEGER,
                .has_fallback = true,
                .fallback = 0,
                .minimum = 0,
                .maximum = 0x1p53 - 1,
                .summary = "steps made",
            },
            {0},
        },
    .run = {update_f64, update_f32},
};

#else /* the kernel, for REAL */

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    layers_value *config = call->params;
    const REAL *w = call->inputs[W].data, *dw = call->inputs[DW].data;
    const REAL *m_before = config[M].before.data, *v_before = config[V].before.data;
    REAL *m = config[M].tensor.data, *v = config[V].tensor.data, *next_w = call->outputs[0].data;
    double beta1 = config[BETA1].number, beta2 = config[BETA2].number, t = ++config[T].number;
    REAL m_share = (REAL)(1 - pow(beta1, t)), v_share = (REAL)(1 - pow(beta2, t));
    REAL rate = (REAL)config[LEARNING_RATE].number, epsilon = (REAL)config[EPSILON].number;
    for (size_t i = 0; i < call->inputs[W].size; i++) {
        m[i] = (REAL)beta1 * m_before[i] + (REAL)(1 - beta1) * dw[i];
        v[i] = (REAL)beta2 * v_before[i] + (REAL)(1 - beta2) * (dw[i] * dw[i]);
        next_w[i] = w[i] - rate * (m[i] / m_share) / ((REAL)sqrt(v[i] / v_share) + epsilon);
    }
    return LAYERS_OK;
}

#endif
