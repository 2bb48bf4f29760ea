/* relu: out = max(x, 0), where NaN stays NaN and everything else that is not above 0 gives +0.0.
 *
 * Backward: dx = dout where x > 0, else +0.0. The cache is that one bit an element. */
#ifndef REAL
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "kernel.h"
#include "stream.h"

extern const layers_answers relu_forward_answers, relu_backward_answers;

#define NANOSECONDS (sizeof(REAL) / 32.0) /* an element, for one thread */
#define THIS_FILE   "layers/relu.c"
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
    .answers = &relu_forward_answers,
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
    .answers = &relu_backward_answers,
};

#else /* the kernels, for REAL */

#include "lanes.h"

/* Some elements, and their part of the mask. Not x > 0 ? x : 0, which would lose NaN. */
KERNEL void typed(rectify)(size_t size, const REAL *x, REAL *out, uint8_t *mask, bool past_caches) {
    const typed(lanes) zero = {0};
    size_t j = 0;
    for (; j + WORD_BITS <= size; j += WORD_BITS) {
        typed(bits) positive = {0}, bit = {0};
        if (past_caches)
            fetch_ahead(x + j, WORD_BITS * sizeof(REAL), x + size);
        typed(first_bits)(&bit);
        for (size_t i = j; i < j + WORD_BITS; i += LANES_IN, bit <<= LANES_IN) {
            typed(lanes) in = *(const typed(lanes) *)(x + i);
            typed(bits) kept = (typed(bits))in & ~(typed(bits))(in <= zero);
            store_32(out + i, &kept, past_caches);
            positive |= (typed(bits))(in > zero) & bit;
        }
        typed(gather)(&positive, mask + j / 8);
    }
    for (size_t i = j; i < size; i++) {
        if (i % 8 == 0)
            mask[i / 8] = 0;
        mask[i / 8] |= (uint8_t)((x[i] > 0) << i % 8);
        out[i] = x[i] <= 0 ? 0 : x[i];
    }
    end_stores(past_caches);
}

KERNEL void typed(pass)(size_t size, const uint8_t *mask, const REAL *dout, REAL *dx,
                        bool past_caches) {
    size_t j = 0;
    for (; j + WORD_BITS <= size; j += WORD_BITS) {
        typed(bits) positive, bit = {0};
        typed(spread)(mask + j / 8, &positive);
        typed(first_bits)(&bit);
        for (size_t i = j; i < j + WORD_BITS; i += LANES_IN, bit <<= LANES_IN) {
            typed(bits) kept =
                *(const typed(bits) *)(dout + i) & (typed(bits))((positive & bit) == bit);
            store_32(dx + i, &kept, past_caches);
        }
    }
    for (size_t i = j; i < size; i++)
        dx[i] = mask[i / 8] >> i % 8 & 1 ? dout[i] : 0;
    end_stores(past_caches);
}

static void typed(forward_piece)(void *argument, size_t i) {
    layers_call *call = argument;
    size_t first = i * PIECE, size = call->inputs[0].size;
    typed(rectify)(at_most(PIECE, size - first), (const REAL *)call->inputs[0].data + first,
                   (REAL *)call->outputs[0].data + first,
                   (uint8_t *)call->cache->saved[0].data + first / 8,
                   call->output_bytes >= STREAM_FROM);
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    layers_pool_run(call_pool(call, size, NANOSECONDS), pieces(size), typed(forward_piece), call);
    return LAYERS_OK;
}

static void typed(backward_piece)(void *argument, size_t i) {
    layers_call *call = argument;
    size_t first = i * PIECE, size = call->inputs[0].size;
    typed(pass)(at_most(PIECE, size - first),
                (const uint8_t *)call->cache->saved[0].data + first / 8,
                (const REAL *)call->inputs[0].data + first, (REAL *)call->outputs[0].data + first,
                call->output_bytes >= STREAM_FROM);
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    layers_pool_run(call_pool(call, size, NANOSECONDS), pieces(size), typed(backward_piece), call);
    return LAYERS_OK;
}

#endif
