/* conv: out_nfpq = b_f + Σ_crs w_fcrs · xpad_nc,p·stride+r,q·stride+s, where xpad is x with `pad`
 * zeros around each plane: a correlation, whose kernel is not flipped.
 *
 * Backward:
 *     dx_nchw = Σ w_fcrs · dout_nfpq, over the f, and the p, q, r and s with p·stride + r − pad = h
 *               and q·stride + s − pad = w
 *     dw_fcrs = Σ_npq dout_nfpq · xpad_nc,p·stride+r,q·stride+s      db_f = Σ_npq dout_nfpq
 * The zeros around x are numbers like others: 0 · inf is NaN in out and dw. convolution/ has how
 * each is computed. The cache shares x and w. */
#ifndef REAL
#include <stdint.h>
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "convolution/correlate.h"
#include "convolution/weights.h"
#include "kernel.h"

extern const layers_answers conv_forward_answers, conv_backward_answers;

enum { X, W, B };     /* forward's inputs; X and W are saved as well */
enum { DX, DW, DB };  /* backward's outputs */
enum { STRIDE, PAD }; /* conv_param */

static layers_code check_fit(const layers_call *call, char kernel, char image,
                             layers_error *error) {
    size_t K = dims_length(&call->dims, kernel), length = dims_length(&call->dims, image);
    double padded = (double)length + 2 * call->params[PAD].number;
    if ((double)K <= padded)
        return LAYERS_OK;
    return layers_fail(
        error, LAYERS_INVALID_SHAPE, "w",
        "/w has %c = %zu, but must have at most %c + 2 · pad = %.17g: the kernel does not fit",
        kernel, K, image, padded);
}

/* Places in a band that is laid out are counted in 32 bits. */
static layers_code check_kernel(const layers_call *call, layers_error *error) {
    const layers_tensor *w = &call->inputs[W];
    if (w->size > UINT32_MAX / 32)
        return layers_fail(error, LAYERS_TOO_LARGE, NULL,
                           "w has %zu elements, more than a convolution can take (%d)", w->size,
                           UINT32_MAX / 32);
    layers_code code = check_fit(call, 'R', 'H', error);
    return code == LAYERS_OK ? check_fit(call, 'S', 'W', error) : code;
}

static size_t windows(const layers_call *call, char kernel, char image) {
    size_t K = dims_length(&call->dims, kernel), length = dims_length(&call->dims, image);
    return (length + 2 * (size_t)call->params[PAD].number - K) /
               (size_t)call->params[STRIDE].number +
           1;
}

static size_t windows_down(const layers_call *call) {
    return windows(call, 'R', 'H');
}

static size_t windows_across(const layers_call *call) {
    return windows(call, 'S', 'W');
}

static const layers_derived derived[] = {
    {'P', windows_down, "⌊(H + 2·pad − R) / stride⌋ + 1"},
    {'Q', windows_across, "⌊(W + 2·pad − S) / stride⌋ + 1"},
    {0},
};

static geometry geometry_of(const layers_call *call, const double *stride, const double *pad) {
    const layers_dims *dims = &call->dims;
    return geometry_flattened((geometry){.N = dims_length(dims, 'N'),
                                         .C = dims_length(dims, 'C'),
                                         .H = dims_length(dims, 'H'),
                                         .W = dims_length(dims, 'W'),
                                         .F = dims_length(dims, 'F'),
                                         .R = dims_length(dims, 'R'),
                                         .S = dims_length(dims, 'S'),
                                         .P = dims_length(dims, 'P'),
                                         .Q = dims_length(dims, 'Q'),
                                         .stride = (size_t)*stride,
                                         .pad = (size_t)*pad});
}

#define THIS_FILE "layers/conv.c"
#include "both_dtypes.h"

const layers_operation conv_forward = {
    .layer = "conv",
    .name = "forward",
    .summary = "Convolution: out = b + Σ w · window of x, zeros around it, the kernel not flipped.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N C H W", .summary = "N images of C channels"},
            {.name = "w", .shape = "F C R S", .summary = "F kernels"},
            {.name = "b", .shape = "F", .summary = "biases"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "out", .shape = "N F P Q", .summary = "F channels"},
            {0},
        },
    .params_name = "conv_param",
    .params =
        (const layers_param[]){
            {
                .name = "stride",
                .kind = LAYERS_INTEGER,
                .has_fallback = true,
                .fallback = 1,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "rows and columns from one window to the next",
            },
            {
                .name = "pad",
                .kind = LAYERS_INTEGER,
                .has_fallback = true,
                .fallback = 0,
                .minimum = 0,
                .maximum = 0x1p53 - 1,
                .summary = "zeros put around x on each side",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved = (const layers_saved[]){{.name = "x"}, {.name = "w"}, {0}},
    .work = {2, "N F P Q C R S"},
    .check = check_kernel,
    .derived = derived,
    .run = {forward_f64, forward_f32},
    .answers = &conv_forward_answers,
};

const layers_operation conv_backward = {
    .layer = "conv",
    .name = "backward",
    .summary = "Gradients of conv/forward, dw and db summed over the batch.",
    .inputs =
        (const layers_field[]){
            {.name = "dout", .shape = "N F P Q", .summary = "gradient of out"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "dx", .shape = "N C H W", .apart = true, .summary = "gradient of x"},
            {.name = "dw", .shape = "F C R S", .apart = true, .summary = "gradient of w"},
            {.name = "db", .shape = "F", .apart = true, .summary = "gradient of b"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .work = {4, "N F P Q C R S"},
    .run = {backward_f64, backward_f32},
    .answers = &conv_backward_answers,
};

#else /* the kernels, for REAL */

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    const correlation c = {
        geometry_of(call, &call->params[STRIDE].number, &call->params[PAD].number),
        typed(tile_kind)(), call_pool(call, 1, call->work)};
    return typed(correlate)(&c, call->inputs[X].data, call->inputs[W].data, call->inputs[B].data,
                            call->outputs[0].data, error);
}

/* db = Σ_npq dout */
typedef struct {
    size_t N, F, size; /* of a plane */
    const REAL *dout;
    REAL *db;
} typed(biases);

/* Adds a piece of a plane to LANES sums. */
KERNEL void typed(add_piece)(const REAL *piece, size_t size, double *restrict lane) {
    size_t i = 0;
    for (; i + LANES <= size; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += piece[i + l];
    for (size_t l = 0; i < size; i++, l++)
        lane[l] += piece[i];
}

static void typed(sum_channel)(void *argument, size_t f) {
    const typed(biases) *b = argument;
    double sum = 0, lane[LANES] = {0};
    size_t added = 0;
    for (size_t n = 0; n < b->N; n++)
        for (size_t i = 0; i < b->size; i += ROW_PIECE) {
            size_t size = at_most(ROW_PIECE, b->size - i);
            typed(add_piece)(b->dout + (n * b->F + f) * b->size + i, size, lane);
            if ((added += size) < ROW_PIECE)
                continue;
            sum += pairwise_sum(lane, LANES);
            memset(lane, 0, sizeof lane);
            added = 0;
        }
    b->db[f] = (REAL)(sum + pairwise_sum(lane, LANES));
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    const layers_cache *cache = call->cache;
    const correlation c = {geometry_of(call, &cache->number[STRIDE], &cache->number[PAD]),
                           typed(tile_kind)(), call_pool(call, 1, call->work)};
    const geometry *g = &c.g;
    const REAL *dout = call->inputs[0].data, *x = cache->saved[X].data, *w = cache->saved[W].data;
    layers_code code = LAYERS_OK;
    if (call_wants(call, DX))
        code = typed(correlate_back)(&c, dout, w, call->outputs[DX].data, error);
    if (call_wants(call, DW) && code == LAYERS_OK)
        code = typed(correlate_weights)(&c, x, dout, call->outputs[DW].data, error);
    typed(biases) biases = {g->N, g->F, g->P * g->Q, dout, call->outputs[DB].data};
    if (call_wants(call, DB))
        layers_pool_run(c.pool, g->F, typed(sum_channel), &biases);
    return code;
}

#endif
