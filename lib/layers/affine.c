/* affine: out = reshape(x, (N, D)) · w + b.
 *
 * Backward, from out_nm = Σ_d x_nd w_dm + b_m:
 *     dx = dout · wᵀ      dw = xᵀ · dout      db = Σ_n dout_n
 * The products are the BLAS's. b is added after the product, as NumPy does, so that a large b costs
 * the product no digits. The cache shares x and w; only the shape of x is kept beside. */
#ifndef REAL
#include <limits.h>
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "gemm.h"
#include "kernel.h"

extern const layers_answers affine_forward_answers, affine_backward_answers;

enum { X, W, B };    /* forward's inputs, in the order of the table; X and W are saved as well */
enum { DX, DW, DB }; /* backward's outputs */

static layers_code check_lengths(const layers_call *call, layers_error *error) {
    for (int i = 0; i < call->dims.count; i++)
        if (call->dims.dim[i].length > INT_MAX)
            return layers_fail(error, LAYERS_TOO_LARGE, NULL,
                               "%c = %zu is more than a matrix product can take (%d)",
                               call->dims.dim[i].letter, call->dims.dim[i].length, INT_MAX);
    return LAYERS_OK;
}

#define THIS_FILE "layers/affine.c"
#include "both_dtypes.h"

const layers_operation affine_forward = {
    .layer = "affine",
    .name = "forward",
    .summary = "Fully connected layer: out = reshape(x, (N, D)) · w + b.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N D...", .summary = "N examples of D features"},
            {.name = "w", .shape = "D M", .summary = "weights"},
            {.name = "b", .shape = "M", .summary = "biases"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "out", .shape = "N M", .summary = "x · w + b"},
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved = (const layers_saved[]){{.name = "x"}, {.name = "w"}, {0}},
    .work = {2, "N D M"},
    .check = check_lengths,
    .run = {forward_f64, forward_f32},
    .answers = &affine_forward_answers,
};

const layers_operation affine_backward = {
    .layer = "affine",
    .name = "backward",
    .summary = "Gradients of affine/forward: dx = dout · wᵀ, dw = xᵀ · dout, db = Σ_n dout.",
    .inputs =
        (const layers_field[]){
            {.name = "dout", .shape = "N M", .summary = "gradient of out"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {
                .name = "dx",
                .shape = "N D...",
                .apart = true,
                .summary = "gradient of x, in the shape of x",
            },
            {.name = "dw", .shape = "D M", .apart = true, .summary = "gradient of w"},
            {.name = "db", .shape = "M", .apart = true, .summary = "gradient of b"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .work = {4, "N D M"},
    .check = check_lengths,
    .run = {backward_f64, backward_f32},
    .answers = &affine_backward_answers,
};

#else /* the kernels, for REAL */

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    const product out = {.m = dims_length(&call->dims, 'N'),
                         .n = dims_length(&call->dims, 'M'),
                         .k = dims_length(&call->dims, 'D'),
                         .a = call->inputs[X].data,
                         .b = call->inputs[W].data,
                         .bias = call->inputs[B].data,
                         .c = call->outputs[0].data};
    typed(gemm)(call->pool, &out, 1);
    return LAYERS_OK;
}

#include "columns.h"

/* db (M) = Σ_n dout (N, M) */
KERNEL void typed(sum_rows)(size_t N, size_t M, const REAL *dout, REAL *db) {
    for (size_t m0 = 0; m0 < M; m0 += COLUMN_PANEL) {
        const typed(columns)
            columns = {.N = N, .D = M, .width = at_most(COLUMN_PANEL, M - m0), .x = dout + m0};
        typed(column_pair) sums;
        typed(column_sums)(&columns, PLAIN, NULL, &sums);
        for (size_t m = 0; m < columns.width; m++)
            db[m0 + m] = (REAL)sums.u[m];
    }
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D'),
           M = dims_length(&call->dims, 'M');
    const REAL *dout = call->inputs[0].data, *x = call->cache->saved[X].data,
               *w = call->cache->saved[W].data;
    const product products[] = {
        {.transpose_b = true,
         .m = N,
         .n = D,
         .k = M,
         .a = dout,
         .b = w,
         .c = call->outputs[DX].data},
        {.transpose_a = true,
         .m = D,
         .n = M,
         .k = N,
         .a = x,
         .b = dout,
         .c = call->outputs[DW].data},
    };
    bool dx = call_wants(call, DX), dw = call_wants(call, DW);
    typed(gemm)(call->pool, dx ? products : products + 1, (size_t)dx + dw);
    if (call_wants(call, DB))
        typed(sum_rows)(N, M, dout, call->outputs[DB].data);
    return LAYERS_OK;
}

#endif
