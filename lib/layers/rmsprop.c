/* rmsprop: c = decay_rate · c + (1 − decay_rate) · dw²,
 * next_w = w − learning_rate · dw / (sqrt(c) + epsilon). */
#ifndef REAL
#include <math.h>

#include "kernel.h"
#include "updates.h"

extern const layers_answers rmsprop_update_answers;

enum { LEARNING_RATE, DECAY_RATE, EPSILON, CACHE }; /* config */

#define NANOSECONDS (sizeof(REAL) / 8.0) /* an element, for one thread */
#define THIS_FILE   "layers/rmsprop.c"
#include "both_dtypes.h"

const layers_operation rmsprop_update = {
    .layer = "rmsprop",
    .name = "update",
    .summary = "RMSProp: c = decay_rate · c + (1 − decay_rate) · dw², next_w = w − learning_rate · "
               "dw / (sqrt(c) + epsilon).",
    .inputs = update_inputs,
    .outputs = update_outputs,
    .params_name = "config",
    .params_back = true,
    .params =
        (const layers_param[]){
            UPDATE_LEARNING_RATE(1e-2),
            {
                .name = "decay_rate",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 0.99,
                .minimum = 0,
                .maximum = 1,
                .summary = "share of the mean square that stays",
            },
            UPDATE_EPSILON,
            {
                .name = "cache",
                .kind = LAYERS_TENSOR,
                .shape = "...",
                .summary = "mean square of the gradients; zeros where absent",
            },
            {0},
        },
    .run = {update_f64, update_f32},
    .answers = &rmsprop_update_answers,
};

#else /* the kernel, for REAL */

typedef struct {
    const REAL *w, *dw, *cache_before;
    REAL *cache, *next_w, rate, stays, comes, epsilon;
} typed(pass);

KERNEL void typed(step)(const void *pass, size_t first, size_t end) {
    const typed(pass) s = *(const typed(pass) *)pass;
    INDEPENDENT
    for (size_t i = first; i < end; i++) {
        REAL cache = s.stays * s.cache_before[i] + s.comes * (s.dw[i] * s.dw[i]);
        s.cache[i] = cache;
        s.next_w[i] = s.w[i] - s.rate * s.dw[i] / ((REAL)sqrt(cache) + s.epsilon);
    }
}

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    const layers_value *config = call->params;
    typed(pass) pass = {
        .w = call->inputs[UPDATE_W].data,
        .dw = call->inputs[UPDATE_DW].data,
        .cache_before = config[CACHE].before.data,
        .cache = config[CACHE].tensor.data,
        .next_w = call->outputs[0].data,
        .rate = (REAL)config[LEARNING_RATE].number,
        .stays = (REAL)config[DECAY_RATE].number,
        .comes = (REAL)(1 - config[DECAY_RATE].number),
        .epsilon = (REAL)config[EPSILON].number,
    };
    update_elements(call, NANOSECONDS, typed(step), &pass);
    return LAYERS_OK;
}

#endif
