/* max_pool: out_ncpq = max of the window of pool_height × pool_width that starts at row p · stride
 * and column q · stride of plane x_nc. NaN is the largest; of equals, the first in row-major order.
 *
 * Backward: each window's gradient goes to where its largest was. The cache is that place's index
 * in the window. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "call.h"

enum { POOL_HEIGHT, POOL_WIDTH, STRIDE }; /* pool_param */

static layers_code check_fit(const layers_call *call, int param, char letter, layers_error *error) {
    size_t length = dims_length(&call->dims, letter);
    const char *name = call->operation->params[param].name;
    if (call->params[param].number <= (double)length)
        return LAYERS_OK;
    char field[64] = "pool_param/";
    strcat(field, name);
    return layers_fail(error, LAYERS_INVALID_PARAM, field,
                       "/%s is %.17g, but must be at most %c = %zu: the window does not fit", field,
                       call->params[param].number, letter, length);
}

static layers_code check_window(const layers_call *call, layers_error *error) {
    layers_code code = check_fit(call, POOL_HEIGHT, 'H', error);
    return code == LAYERS_OK ? check_fit(call, POOL_WIDTH, 'W', error) : code;
}

static size_t windows(const layers_call *call, char letter, int param) {
    size_t length = dims_length(&call->dims, letter);
    return (length - (size_t)call->params[param].number) / (size_t)call->params[STRIDE].number + 1;
}

static size_t windows_down(const layers_call *call) {
    return windows(call, 'H', POOL_HEIGHT);
}

static size_t windows_across(const layers_call *call) {
    return windows(call, 'W', POOL_WIDTH);
}

/* Of an index in a window. */
static size_t index_bytes(const layers_call *call) {
    double places = call->params[POOL_HEIGHT].number * call->params[POOL_WIDTH].number;
    return places <= 0x1p8 ? 1 : places <= 0x1p16 ? 2 : places <= 0x1p32 ? 4 : 8;
}

static const layers_derived derived[] = {
    {'P', windows_down, "⌊(H − pool_height) / stride⌋ + 1"},
    {'Q', windows_across, "⌊(W − pool_width) / stride⌋ + 1"},
    {'B', index_bytes, "bytes of an index in a window"},
    {0},
};

#define THIS_FILE "layers/max_pool.c"
#include "both_dtypes.h"

const layers_operation max_pool_forward = {
    .layer = "max_pool",
    .name = "forward",
    .summary = "The largest of each window.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N C H W", .summary = "N images of C channels"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "out", .shape = "N C P Q", .summary = "the largest of each window"},
            {0},
        },
    .params_name = "pool_param",
    .params =
        (const layers_param[]){
            {
                .name = "pool_height",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "rows of a window",
            },
            {
                .name = "pool_width",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "columns of a window",
            },
            {
                .name = "stride",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "rows and columns from one window to the next",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved =
        (const layers_saved[]){{.name = "index", .shape = "N C P Q B", .dtype = LAYERS_U8}, {0}},
    .check = check_window,
    .derived = derived,
    .run = {forward_f64, forward_f32},
};

const layers_operation max_pool_backward = {
    .layer = "max_pool",
    .name = "backward",
    .summary = "Gradient of max_pool/forward: that of each window goes to its largest.",
    .inputs =
        (const layers_field[]){
            {.name = "dout", .shape = "N C P Q", .summary = "gradient of out"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "dx", .shape = "N C H W", .summary = "gradient of x"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
};

#else /* the kernels, for REAL */

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    const layers_dims *d = &call->dims;
    size_t H = dims_length(d, 'H'), W = dims_length(d, 'W'), P = dims_length(d, 'P'),
           Q = dims_length(d, 'Q'), B = dims_length(d, 'B');
    size_t R = (size_t)call->params[POOL_HEIGHT].number,
           S = (size_t)call->params[POOL_WIDTH].number,
           stride = (size_t)call->params[STRIDE].number;
    REAL *out = call->outputs[0].data;
    unsigned char *index = call->cache->saved[0].data;
    for (size_t o = 0; o < call->outputs[0].size; o++) {
        size_t q = o % Q, p = o / Q % P;
        const REAL *x =
            (const REAL *)call->inputs[0].data + o / Q / P * H * W + p * stride * W + q * stride;
        uint64_t best = 0;
        for (size_t i = 1; i < R * S; i++) {
            REAL most = x[best / S * W + best % S], here = x[i / S * W + i % S];
            if (!isnan(most) && !(here <= most))
                best = i;
        }
        out[o] = x[best / S * W + best % S];
        memcpy(index + o * B, &best, B);
    }
    return LAYERS_OK;
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    const layers_dims *d = &call->dims;
    size_t H = dims_length(d, 'H'), W = dims_length(d, 'W'), P = dims_length(d, 'P'),
           Q = dims_length(d, 'Q'), B = dims_length(d, 'B');
    size_t S = (size_t)call->cache->number[POOL_WIDTH],
           stride = (size_t)call->cache->number[STRIDE];
    const REAL *dout = call->inputs[0].data;
    REAL *dx = call->outputs[0].data;
    const unsigned char *index = call->cache->saved[0].data;
    memset(dx, 0, call->outputs[0].size * sizeof(REAL));
    for (size_t o = 0; o < call->inputs[0].size; o++) {
        size_t q = o % Q, p = o / Q % P;
        uint64_t i = 0;
        memcpy(&i, index + o * B, B);
        dx[o / Q / P * H * W + (p * stride + i / S) * W + q * stride + i % S] += dout[o];
    }
    return LAYERS_OK;
}

#endif
