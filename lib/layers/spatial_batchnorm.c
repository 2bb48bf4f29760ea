/* spatial_batchnorm: batchnorm of each channel over N, H and W. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "call.h"

enum { X, GAMMA, BETA }; /* inputs */
enum { SAVED_X, SAVED_GAMMA, MEAN, REST, INV_STD };

enum { MODE, EPS, MOMENTUM, RUNNING_MEAN, RUNNING_VAR };
enum { TRAIN, TEST };
#define EPS_OF(call)           (call)->params[EPS].number
#define BATCH_STATISTICS(call) ((call)->cache->choice[MODE] == TRAIN)
static size_t plane(const layers_call *call) {
    return dims_length(&call->dims, 'H') * dims_length(&call->dims, 'W');
}
static layers_code check_size(const layers_call *call, layers_error *error) {
    if (call->params[MODE].choice == TEST || dims_length(&call->dims, 'N') * plane(call) > 0)
        return LAYERS_OK;
    return layers_fail(error, LAYERS_INVALID_SHAPE, "x",
                       "x has no pixels (N · H · W = 0), and %s/%s divides by their number",
                       call->operation->layer, call->operation->name);
}
static void sizes(const layers_call *call, size_t *sets, size_t *size) {
    *sets = dims_length(&call->dims, 'C');
    *size = dims_length(&call->dims, 'N') * plane(call);
}
static size_t place(const layers_call *call, size_t s, size_t i) {
    return (i / plane(call) * dims_length(&call->dims, 'C') + s) * plane(call) + i % plane(call);
}
static size_t channel(const layers_call *call, size_t s, size_t i) {
    (void)call, (void)i;
    return s;
}

#define THIS_FILE "layers/spatial_batchnorm.c"
#include "both_dtypes.h"

const layers_operation spatial_batchnorm_forward = {
    .layer = "spatial_batchnorm",
    .name = "forward",
    .summary = "Batch normalisation of each channel, over N, H and W.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N C H W", .summary = "examples"},
            {.name = "gamma", .shape = "C", .summary = "scale of each channel"},
            {.name = "beta", .shape = "C", .summary = "shift of each channel"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "out", .shape = "N C H W", .summary = "the normalised examples"},
            {0},
        },
    .params_name = "bn_param",
    .params =
        (const layers_param[]){
            {
                .name = "mode",
                .kind = LAYERS_CHOICE,
                .required = true,
                .choices = {[TRAIN] = "train", [TEST] = "test"},
                .summary = "\"train\" normalises by the batch, \"test\" by the running statistics",
            },
            {
                .name = "eps",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 1e-5,
                .minimum = 0,
                .open_minimum = true,
                .maximum = 0x1.fffffffffffffp1023,
                .summary = "added to the variance",
            },
            {
                .name = "momentum",
                .kind = LAYERS_NUMBER,
                .has_fallback = true,
                .fallback = 0.9,
                .minimum = 0,
                .maximum = 1,
                .summary = "share of the running statistics that stays",
            },
            {
                .name = "running_mean",
                .kind = LAYERS_TENSOR,
                .shape = "C",
                .summary = "running mean of each channel; zeros where absent",
            },
            {
                .name = "running_var",
                .kind = LAYERS_TENSOR,
                .shape = "C",
                .summary = "running variance of each channel; zeros where absent",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved =
        (const layers_saved[]){[SAVED_X] = {.name = "x"},
                               [SAVED_GAMMA] = {.name = "gamma"},
                               [MEAN] = {.name = "mean", .shape = "C", .dtype = LAYERS_F64},
                               [REST] = {.name = "rest", .shape = "C", .dtype = LAYERS_F64},
                               [INV_STD] = {.name = "inv_std", .shape = "C", .dtype = LAYERS_F64},
                               {0}},
    .check = check_size,
    .run = {forward_f64, forward_f32},
};

const layers_operation spatial_batchnorm_backward = {
    .layer = "spatial_batchnorm",
    .name = "backward",
    .summary = "Gradients of spatial_batchnorm/forward.",
    .inputs =
        (const layers_field[]){
            {.name = "dout", .shape = "N C H W", .summary = "gradient of out"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "dx", .shape = "N C H W", .summary = "gradient of x"},
            {.name = "dgamma", .shape = "C", .summary = "gradient of gamma"},
            {.name = "dbeta", .shape = "C", .summary = "gradient of beta"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
};

#else /* the kernels, for REAL */

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t sets, size;
    sizes(call, &sets, &size);
    const REAL *x = call->inputs[X].data, *gamma = call->inputs[GAMMA].data,
               *beta = call->inputs[BETA].data;
    REAL *out = call->outputs[0].data;
    double *means = call->cache->saved[MEAN].data, *rests = call->cache->saved[REST].data,
           *inv_stds = call->cache->saved[INV_STD].data;
    for (size_t s = 0; s < sets; s++) {
        long double mean = 0, var = 0;
        for (size_t i = 0; i < size; i++)
            mean += (long double)x[place(call, s, i)] / (long double)size;
        for (size_t i = 0; i < size; i++)
            var += ((long double)x[place(call, s, i)] - mean) *
                   ((long double)x[place(call, s, i)] - mean) / (long double)size;
        const layers_value *param = call->params;
        const REAL *mean_before = param[RUNNING_MEAN].before.data,
                   *var_before = param[RUNNING_VAR].before.data;
        double momentum = param[MOMENTUM].number;
        if (param[MODE].choice == TEST) {
            mean = mean_before[s];
            var = var_before[s];
            momentum = 1;
        }
        ((REAL *)param[RUNNING_MEAN].tensor.data)[s] =
            momentum == 1 ? mean_before[s]
                          : (REAL)(momentum * mean_before[s] + (1 - momentum) * mean);
        ((REAL *)param[RUNNING_VAR].tensor.data)[s] =
            momentum == 1 ? var_before[s] : (REAL)(momentum * var_before[s] + (1 - momentum) * var);
        long double inv_std = 1 / sqrtl(var + EPS_OF(call));
        means[s] = (double)mean;
        rests[s] = (double)(mean - (long double)means[s]);
        inv_stds[s] = (double)inv_std;
        for (size_t i = 0; i < size; i++)
            out[place(call, s, i)] = (REAL)(((long double)x[place(call, s, i)] - mean) * inv_std *
                                                gamma[channel(call, s, i)] +
                                            beta[channel(call, s, i)]);
    }
    return LAYERS_OK;
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t sets, size;
    sizes(call, &sets, &size);
    const REAL *x = call->cache->saved[SAVED_X].data, *gamma = call->cache->saved[SAVED_GAMMA].data,
               *dout = call->inputs[0].data;
    REAL *dx = call->outputs[0].data, *dgamma = call->outputs[1].data,
         *dbeta = call->outputs[2].data;
    double *means = call->cache->saved[MEAN].data, *rests = call->cache->saved[REST].data,
           *inv_stds = call->cache->saved[INV_STD].data;
    memset(dgamma, 0, call->outputs[1].size * sizeof(REAL));
    memset(dbeta, 0, call->outputs[2].size * sizeof(REAL));
    for (size_t s = 0; s < sets; s++) {
        long double mean = (long double)means[s] + rests[s], inv_std = inv_stds[s], a = 0, b = 0;
        for (size_t i = 0; i < size; i++) {
            size_t at = place(call, s, i), c = channel(call, s, i);
            long double xhat = ((long double)x[at] - mean) * inv_std;
            dgamma[c] = (REAL)(dgamma[c] + xhat * dout[at]);
            dbeta[c] += dout[at];
            a += (long double)gamma[c] * dout[at];
            b += (long double)gamma[c] * dout[at] * xhat;
        }
        if (!BATCH_STATISTICS(call))
            a = b = 0;
        for (size_t i = 0; i < size; i++) {
            size_t at = place(call, s, i);
            long double xhat = ((long double)x[at] - mean) * inv_std;
            dx[at] = (REAL)(inv_std * (dout[at] * (long double)gamma[channel(call, s, i)] -
                                       a / size - xhat * b / size));
        }
    }
    return LAYERS_OK;
}

#endif
