/* relu: out = max(x, 0), where NaN stays NaN and everything else that is not above 0 gives +0.0.
 *
 * Backward: dx = dout where x > 0, else +0.0. The cache is that one bit an element. */
#ifndef REAL
#include "bits.h"
#include "blocks.h"
#include "call.h"
#include "kernel.h"

#define THIS_FILE "layers/relu.c"
#include "both_dtypes.h"

const layers_operation relu_forward = {
    .layer = "relu",
    .name = "forward",
    .summary = "Rectifier: out = max(x, 0); NaN stays NaN.",
    .inputs = (const layers_field[]){{.name = "x", .shape = "...", .summary = "any tensor"}, {0}},
    .outputs = (const layers_field[]){{.name = "out", .shape = "...", .summary = "max(x, 0)"}, {0}},
    .cache = LAYERS_CACHE_GIVEN,
    .saved = (const layers_saved[]){{.name = "positive", .shape = "...", .dtype = LAYERS_BIT}, {0}},
    .run = {forward_f64, forward_f32},
};

const layers_operation relu_backward = {
    .layer = "relu",
    .name = "backward",
    .summary = "Gradient of relu/forward: dx = dout where x > 0, else 0.",
    .inputs =
        (const layers_field[]){{.name = "dout", .shape = "...", .summary = "gradient of out"}, {0}},
    .outputs =
        (const layers_field[]){{.name = "dx", .shape = "...", .summary = "gradient of x"}, {0}},
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
};

#else /* the kernels, for REAL */

KERNEL void typed(rectify)(size_t size, const REAL *x, REAL *out, uint8_t *positive) {
    for (size_t i = 0; i < size; i++) {
        out[i] = x[i] <= 0 ? 0 : x[i]; /* not x > 0 ? x : 0, which would lose NaN */
        positive[i] = x[i] > 0;
    }
}

KERNEL void typed(pass)(size_t size, const uint8_t *positive, const REAL *dout, REAL *dx) {
    for (size_t i = 0; i < size; i++)
        dx[i] = positive[i] ? dout[i] : 0;
}

static void typed(forward_piece)(void *argument, size_t i) {
    layers_call *call = argument;
    size_t first = i * PIECE, end = at_most(first + PIECE, call->inputs[0].size);
    const REAL *x = call->inputs[0].data;
    REAL *out = call->outputs[0].data;
    uint8_t *mask = call->cache->saved[0].data, flag[FLAGS] = {0};
    for (size_t j = first; j < end; j += FLAGS) {
        size_t count = at_most(FLAGS, end - j);
        if (count < FLAGS)
            memset(flag, 0, sizeof flag);
        typed(rectify)(count, x + j, out + j, flag);
        bits_pack(flag, count, mask + j / 8);
    }
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    layers_pool_run(call_pool(call, size), pieces(size), typed(forward_piece), call);
    return LAYERS_OK;
}

static void typed(backward_piece)(void *argument, size_t i) {
    layers_call *call = argument;
    size_t first = i * PIECE, end = at_most(first + PIECE, call->inputs[0].size);
    const REAL *dout = call->inputs[0].data;
    REAL *dx = call->outputs[0].data;
    const uint8_t *mask = call->cache->saved[0].data;
    uint8_t flag[FLAGS];
    for (size_t j = first; j < end; j += FLAGS) {
        size_t count = at_most(FLAGS, end - j);
        bits_unpack(mask + j / 8, count, flag);
        typed(pass)(count, flag, dout + j, dx + j);
    }
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    layers_pool_run(call_pool(call, size), pieces(size), typed(backward_piece), call);
    return LAYERS_OK;
}

#endif
