/* relu: out = max(x, 0), where NaN stays NaN and everything else that is not above 0 gives +0.0.
 *
 * Backward: dx = dout where x > 0, else +0.0. The cache is that one bit an element. */
#ifndef REAL
#include "call.h"

enum { BITS = 8 };

#define LAYER_FILE "layers/relu.c"
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

static layers_code NAME(forward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    const REAL *x = call->inputs[0].data;
    REAL *out = call->outputs[0].data;
    uint8_t *positive = call->cache->saved[0].data;
    for (size_t i = 0; i < size; i++)
        out[i] = x[i] <= 0 ? 0 : x[i]; /* not x > 0 ? x : 0, which would lose NaN */
    for (size_t i = 0; i < size / BITS; i++) {
        unsigned bits = 0;
        for (unsigned bit = 0; bit < BITS; bit++)
            bits |= (unsigned)(x[i * BITS + bit] > 0) << bit;
        positive[i] = (uint8_t)bits;
    }
    if (size % BITS) {
        unsigned bits = 0;
        for (unsigned bit = 0; bit < size % BITS; bit++)
            bits |= (unsigned)(x[size / BITS * BITS + bit] > 0) << bit;
        positive[size / BITS] = (uint8_t)bits;
    }
    return LAYERS_OK;
}

static layers_code NAME(backward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    const REAL *dout = call->inputs[0].data;
    REAL *dx = call->outputs[0].data;
    const uint8_t *positive = call->cache->saved[0].data;
    for (size_t i = 0; i < size; i++)
        dx[i] = positive[i / BITS] >> i % BITS & 1 ? dout[i] : 0;
    return LAYERS_OK;
}

#endif
