/* conv: out_nfpq = b_f + Σ_crs w_fcrs · xpad_nc,p·stride+r,q·stride+s. */
#ifndef REAL
#include <string.h>

#include "call.h"

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

static layers_code check_kernel(const layers_call *call, layers_error *error) {
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
            {.name = "dx", .shape = "N C H W", .summary = "gradient of x"},
            {.name = "dw", .shape = "F C R S", .summary = "gradient of w"},
            {.name = "db", .shape = "F", .summary = "gradient of b"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .work = {4, "N F P Q C R S"},
    .run = {backward_f64, backward_f32},
};

#else /* the kernels, for REAL */

#define EACH_TAP                                                                                   \
    size_t N = dims_length(&call->dims, 'N'), C = dims_length(&call->dims, 'C'),                   \
           H = dims_length(&call->dims, 'H'), Wi = dims_length(&call->dims, 'W'),                  \
           F = dims_length(&call->dims, 'F'), R = dims_length(&call->dims, 'R'),                   \
           S = dims_length(&call->dims, 'S'), P = dims_length(&call->dims, 'P'),                   \
           Q = dims_length(&call->dims, 'Q');                                                      \
    for (size_t n = 0; n < N; n++)                                                                 \
        for (size_t f = 0; f < F; f++)                                                             \
            for (size_t p = 0; p < P; p++)                                                         \
                for (size_t q = 0; q < Q; q++)
#define TAPS                                                                                       \
    for (size_t c = 0; c < C; c++)                                                                 \
        for (size_t r = 0; r < R; r++)                                                             \
            for (size_t s = 0; s < S; s++)                                                         \
                if (p * stride + r >= pad && p * stride + r - pad < H && q * stride + s >= pad &&  \
                    q * stride + s - pad < Wi)
#define X_AT x[((n * C + c) * H + p * stride + r - pad) * Wi + q * stride + s - pad]

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    const REAL *x = call->inputs[X].data, *w = call->inputs[W].data, *b = call->inputs[B].data;
    REAL *out = call->outputs[0].data;
    size_t stride = (size_t)call->params[STRIDE].number, pad = (size_t)call->params[PAD].number;
    EACH_TAP {
        double sum = 0;
        TAPS sum += (double)w[((f * C + c) * R + r) * S + s] * X_AT;
        out[((n * F + f) * P + p) * Q + q] = (REAL)(sum + b[f]);
    }
    return LAYERS_OK;
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    const REAL *x = call->cache->saved[X].data, *w = call->cache->saved[W].data,
               *dout = call->inputs[0].data;
    REAL *dx = call->outputs[DX].data, *dw = call->outputs[DW].data, *db = call->outputs[DB].data;
    size_t stride = (size_t)call->cache->number[STRIDE], pad = (size_t)call->cache->number[PAD];
    memset(dx, 0, call->outputs[DX].size * sizeof(REAL));
    memset(dw, 0, call->outputs[DW].size * sizeof(REAL));
    memset(db, 0, call->outputs[DB].size * sizeof(REAL));
    EACH_TAP {
        REAL up = dout[((n * F + f) * P + p) * Q + q];
        db[f] += up;
        TAPS {
            dx[&X_AT - x] += up * w[((f * C + c) * R + r) * S + s];
            dw[((f * C + c) * R + r) * S + s] += up * X_AT;
        }
    }
    return LAYERS_OK;
}

#undef EACH_TAP
#undef TAPS
#undef X_AT
#endif
