/* adam: t = t + 1, m = beta1 · m + (1 − beta1) · dw, v = beta2 · v + (1 − beta2) · dw²,
 * next_w = w − learning_rate · (m / (1 − beta1ᵗ)) / (sqrt(v / (1 − beta2ᵗ)) + epsilon). */
#ifndef REAL
#include <math.h>

#include "kernel.h"
#include "updates.h"

extern const layers_answers adam_update_answers;

enum { LEARNING_RATE, BETA1, BETA2, EPSILON, M, V, T }; /* config */

#define NANOSECONDS (sizeof(REAL) / 5.0) /* an element, for one thread */
#define THIS_FILE   "layers/adam.c"
#include "both_dtypes.h"

const layers_operation adam_update = {
    .layer = "adam",
    .name = "update",
    .summary = "Adam: t, m and v move, next_w = w − learning_rate · (m / (1 − beta1ᵗ)) / (sqrt(v / "
               "(1 − beta2ᵗ)) + epsilon).",
    .inputs = update_inputs,
    .outputs = update_outputs,
    .params_name = "config",
    .params_back = true,
    .params =
        (const layers_param[]){
            UPDATE_LEARNING_RATE(1e-3),
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
            UPDATE_EPSILON,
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
    .answers = &adam_update_answers,
};

#else /* the kernel, for REAL */

typedef struct {
    const REAL *w, *dw, *m_before, *v_before;
    REAL *m, *v, *next_w, rate, epsilon;
    REAL m_stays, m_comes, m_share; /* beta1, 1 − beta1, 1 − beta1ᵗ */
    REAL v_stays, v_comes, v_share;
} typed(pass);

KERNEL void typed(step)(const void *pass, size_t first, size_t end) {
    const typed(pass) s = *(const typed(pass) *)pass;
    INDEPENDENT
    for (size_t i = first; i < end; i++) {
        REAL m = s.m_stays * s.m_before[i] + s.m_comes * s.dw[i];
        REAL v = s.v_stays * s.v_before[i] + s.v_comes * (s.dw[i] * s.dw[i]);
        s.m[i] = m;
        s.v[i] = v;
        s.next_w[i] = s.w[i] - s.rate * (m / s.m_share) / ((REAL)sqrt(v / s.v_share) + s.epsilon);
    }
}

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    layers_value *config = call->params;
    double beta1 = config[BETA1].number, beta2 = config[BETA2].number, t = ++config[T].number;
    typed(pass) pass = {
        .w = call->inputs[UPDATE_W].data,
        .dw = call->inputs[UPDATE_DW].data,
        .m_before = config[M].before.data,
        .v_before = config[V].before.data,
        .m = config[M].tensor.data,
        .v = config[V].tensor.data,
        .next_w = call->outputs[0].data,
        .rate = (REAL)config[LEARNING_RATE].number,
        .epsilon = (REAL)config[EPSILON].number,
        .m_stays = (REAL)beta1,
        .m_comes = (REAL)(1 - beta1),
        .m_share = (REAL)(1 - pow(beta1, t)),
        .v_stays = (REAL)beta2,
        .v_comes = (REAL)(1 - beta2),
        .v_share = (REAL)(1 - pow(beta2, t)),
    };
    update_elements(call, NANOSECONDS, typed(step), &pass);
    return LAYERS_OK;
}

#endif
