/* sgd: next_w = w − learning_rate · dw. */
#ifndef REAL
#include "kernel.h"
#include "stream.h"
#include "updates.h"

extern const layers_answers sgd_update_answers;

enum { LEARNING_RATE }; /* config */

#define NANOSECONDS (sizeof(REAL) / 24.0) /* an element, for one thread */
#define THIS_FILE   "layers/sgd.c"
#include "both_dtypes.h"

const layers_operation sgd_update = {
    .layer = "sgd",
    .name = "update",
    .summary = "Stochastic gradient descent: next_w = w − learning_rate · dw.",
    .inputs = update_inputs,
    .outputs = update_outputs,
    .params_name = "config",
    .params_back = true,
    .params = (const layers_param[]){UPDATE_LEARNING_RATE(1e-2), {0}},
    .run = {update_f64, update_f32},
    .answers = &sgd_update_answers,
};

#else /* the kernel, for REAL */

#include "lanes.h"

typedef struct {
    const REAL *w, *dw;
    REAL *next_w, rate;
    bool past_caches;
} typed(pass);

KERNEL void typed(step)(const void *pass, size_t first, size_t end) {
    const typed(pass) s = *(const typed(pass) *)pass;
    size_t i = first;
    for (; i + LANES_IN <= end; i += LANES_IN) {
        typed(lanes) next =
            *(const typed(lanes) *)(s.w + i) - s.rate * *(const typed(lanes) *)(s.dw + i);
        store_32(s.next_w + i, &next, s.past_caches);
    }
    for (; i < end; i++)
        s.next_w[i] = s.w[i] - s.rate * s.dw[i];
    end_stores(s.past_caches);
}

static layers_code typed(update)(layers_call *call, layers_error *error) {
    (void)error;
    typed(pass) pass = {
        .w = call->inputs[UPDATE_W].data,
        .dw = call->inputs[UPDATE_DW].data,
        .next_w = call->outputs[0].data,
        .rate = (REAL)call->params[LEARNING_RATE].number,
        /* two arrays beside the result share the caches with it, not one */
        .past_caches = call->output_bytes >= STREAM_FROM / 3 * 2,
    };
    update_elements(call, NANOSECONDS, typed(step), &pass);
    return LAYERS_OK;
}

#endif
