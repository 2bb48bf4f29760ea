/* batchnorm: out = gamma · xhat + beta with xhat = (x − mean) / sqrt(var + eps), for each feature.
 *
 * In train mode mean and the uncorrected variance are those of the batch, and the running
 * statistics move: running = momentum · running + (1 − momentum) · sample. In test mode the running
 * statistics are taken and stay. Backward in train mode (Ioffe and Szegedy, "Batch Normalization",
 * 2015, section 3, with the sums drawn together):
 *     dbeta = Σ dout      dgamma = Σ dout · xhat
 *     dx = gamma / sqrt(var + eps) · (dout − dbeta / N − xhat · dgamma / N)
 * and in test mode, where the statistics are constants, without the last two terms.
 *
 * Statistics are in double, the variance in a second pass over x − mean: x = 1e8 ± 1 loses nothing.
 * The cache shares x and gamma and adds mean and 1 / sqrt(var + eps) of each feature. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "kernel.h"

enum { X, GAMMA, BETA };                                 /* forward's inputs */
enum { MODE, EPS, MOMENTUM, RUNNING_MEAN, RUNNING_VAR }; /* bn_param */
enum { SAVED_X, SAVED_GAMMA, MEAN, INV_STD };            /* the cache */
enum { DX, DGAMMA, DBETA };                              /* backward's outputs */
enum { TRAIN, TEST };

static layers_code check_rows(const layers_call *call, layers_error *error) {
    return call->params[MODE].choice == TRAIN ? call_needs_rows(call, error) : LAYERS_OK;
}

#define LAYER_FILE "layers/batchnorm.c"
#include "both_dtypes.h"

const layers_operation batchnorm_forward = {
    .layer = "batchnorm",
    .name = "forward",
    .summary = "Batch normalisation: out = gamma · (x − mean) / sqrt(var + eps) + beta.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N D", .summary = "N examples of D features"},
            {.name = "gamma", .shape = "D", .summary = "scale of each feature"},
            {.name = "beta", .shape = "D", .summary = "shift of each feature"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "out", .shape = "N D", .summary = "the normalised examples"},
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
                .kind = LAYERS_VECTOR,
                .shape = "D",
                .summary = "running mean of each feature; zeros where absent",
            },
            {
                .name = "running_var",
                .kind = LAYERS_VECTOR,
                .shape = "D",
                .summary = "running variance of each feature; zeros where absent",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved =
        (const layers_saved[]){
            [SAVED_X] = {.name = "x"},
            [SAVED_GAMMA] = {.name = "gamma"},
            [MEAN] = {.name = "mean", .shape = "D", .dtype = LAYERS_F64},
            [INV_STD] = {.name = "inv_std", .shape = "D", .dtype = LAYERS_F64},
            {0},
        },
    .check = check_rows,
    .run = {forward_f64, forward_f32},
};

const layers_operation batchnorm_backward = {
    .layer = "batchnorm",
    .name = "backward",
    .summary =
        "Gradients of batchnorm/forward, through the statistics where they were the batch's.",
    .inputs =
        (const layers_field[]){{.name = "dout", .shape = "N D", .summary = "gradient of out"}, {0}},
    .outputs =
        (const layers_field[]){
            {.name = "dx", .shape = "N D", .summary = "gradient of x"},
            {.name = "dgamma", .shape = "D", .summary = "gradient of gamma"},
            {.name = "dbeta", .shape = "D", .summary = "gradient of beta"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
};

#else /* the kernels, for REAL; a panel is at most COLUMN_PANEL columns wide */

/* mean of each column of the panel */
KERNEL void NAME(panel_mean)(size_t N, size_t D, size_t width, const REAL *x, double *mean) {
    double total[COLUMN_PANEL] = {0};
    for (size_t n0 = 0; n0 < N; n0 += ROW_BLOCK) {
        double block[COLUMN_PANEL] = {0};
        for (size_t n = n0; n < at_most(N, n0 + ROW_BLOCK); n++)
            for (size_t d = 0; d < width; d++)
                block[d] += x[n * D + d];
        for (size_t d = 0; d < width; d++)
            total[d] += block[d];
    }
    for (size_t d = 0; d < width; d++)
        mean[d] = total[d] / (double)N;
}

/* variance of each column of the panel about its mean */
KERNEL void NAME(panel_variance)(size_t N, size_t D, size_t width, const REAL *x,
                                 const double *mean, double *variance) {
    double total[COLUMN_PANEL] = {0};
    for (size_t n0 = 0; n0 < N; n0 += ROW_BLOCK) {
        double block[COLUMN_PANEL] = {0};
        for (size_t n = n0; n < at_most(N, n0 + ROW_BLOCK); n++)
            for (size_t d = 0; d < width; d++) {
                double distance = x[n * D + d] - mean[d];
                block[d] += distance * distance;
            }
        for (size_t d = 0; d < width; d++)
            total[d] += block[d];
    }
    for (size_t d = 0; d < width; d++)
        variance[d] = total[d] / (double)N;
}

/* out = gamma · (x − mean) · inv_std + beta over the panel */
KERNEL void NAME(panel_normalise)(size_t N, size_t D, size_t width, const REAL *x,
                                  const double *mean, const double *inv_std, const REAL *gamma,
                                  const REAL *beta, REAL *out) {
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < width; d++)
            out[n * D + d] = (REAL)((x[n * D + d] - mean[d]) * inv_std[d] * gamma[d] + beta[d]);
}

static void NAME(move)(layers_tensor *running, size_t first, size_t width, double momentum,
                       const double *sample) {
    REAL *value = (REAL *)running->data + first;
    for (size_t d = 0; d < width; d++)
        value[d] = (REAL)(momentum * value[d] + (1 - momentum) * sample[d]);
}

/* Gives the call running statistics of its own, which are then moved: the caller's, or zeros. */
static layers_code NAME(own_running)(layers_call *call, int param, layers_error *error) {
    layers_tensor *running = &call->params[param].vector, own;
    size_t D = dims_length(&call->dims, 'D');
    layers_code code = layers_tensor_make(&own, call->dtype, &D, 1, error);
    if (code != LAYERS_OK)
        return code;
    if (running->data)
        memcpy(own.data, running->data, D * sizeof(REAL));
    else
        memset(own.data, 0, D * sizeof(REAL));
    layers_tensor_clear(running);
    *running = own;
    call->params[param].given = true;
    return LAYERS_OK;
}

static layers_code NAME(forward)(layers_call *call, layers_error *error) {
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    layers_value *param = call->params;
    const REAL *x = call->inputs[X].data, *gamma = call->inputs[GAMMA].data,
               *beta = call->inputs[BETA].data;
    double *mean = call->cache->saved[MEAN].data, *inv_std = call->cache->saved[INV_STD].data;
    REAL *out = call->outputs[0].data;
    layers_code code = NAME(own_running)(call, RUNNING_MEAN, error);
    if (code == LAYERS_OK)
        code = NAME(own_running)(call, RUNNING_VAR, error);
    if (code != LAYERS_OK)
        return code;
    const REAL *running_mean = param[RUNNING_MEAN].vector.data,
               *running_var = param[RUNNING_VAR].vector.data;
    for (size_t d0 = 0; d0 < D; d0 += COLUMN_PANEL) {
        size_t width = at_most(COLUMN_PANEL, D - d0);
        double variance[COLUMN_PANEL];
        if (param[MODE].choice == TRAIN) {
            NAME(panel_mean)(N, D, width, x + d0, mean + d0);
            NAME(panel_variance)(N, D, width, x + d0, mean + d0, variance);
            double momentum = param[MOMENTUM].number;
            NAME(move)(&param[RUNNING_MEAN].vector, d0, width, momentum, mean + d0);
            NAME(move)(&param[RUNNING_VAR].vector, d0, width, momentum, variance);
        } else {
            for (size_t d = 0; d < width; d++) {
                mean[d0 + d] = running_mean[d0 + d];
                variance[d] = running_var[d0 + d];
            }
        }
        for (size_t d = 0; d < width; d++)
            inv_std[d0 + d] = 1 / sqrt(variance[d] + param[EPS].number);
        NAME(panel_normalise)
        (N, D, width, x + d0, mean + d0, inv_std + d0, gamma + d0, beta + d0, out + d0);
    }
    return LAYERS_OK;
}

/* dgamma = Σ dout · xhat and dbeta = Σ dout over the panel */
KERNEL void NAME(panel_sums)(size_t N, size_t D, size_t width, const REAL *dout, const REAL *x,
                             const double *mean, const double *inv_std, double *dgamma,
                             double *dbeta) {
    for (size_t d = 0; d < width; d++)
        dgamma[d] = dbeta[d] = 0;
    for (size_t n0 = 0; n0 < N; n0 += ROW_BLOCK) {
        double gamma_block[COLUMN_PANEL] = {0}, beta_block[COLUMN_PANEL] = {0};
        for (size_t n = n0; n < at_most(N, n0 + ROW_BLOCK); n++)
            for (size_t d = 0; d < width; d++) {
                beta_block[d] += dout[n * D + d];
                gamma_block[d] += dout[n * D + d] * ((x[n * D + d] - mean[d]) * inv_std[d]);
            }
        for (size_t d = 0; d < width; d++) {
            dbeta[d] += beta_block[d];
            dgamma[d] += gamma_block[d];
        }
    }
}

/* dx = gamma · inv_std · (dout − shift − xhat · slope) over the panel */
KERNEL void NAME(panel_dx)(size_t N, size_t D, size_t width, const REAL *dout, const REAL *x,
                           const double *mean, const double *inv_std, const REAL *gamma,
                           const double *shift, const double *slope, REAL *dx) {
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < width; d++) {
            double xhat = (x[n * D + d] - mean[d]) * inv_std[d];
            dx[n * D + d] =
                (REAL)(gamma[d] * inv_std[d] * (dout[n * D + d] - shift[d] - xhat * slope[d]));
        }
}

/* dx = gamma · inv_std · dout over the panel */
KERNEL void NAME(panel_dx_test)(size_t N, size_t D, size_t width, const REAL *dout,
                                const double *inv_std, const REAL *gamma, REAL *dx) {
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < width; d++)
            dx[n * D + d] = (REAL)(dout[n * D + d] * gamma[d] * inv_std[d]);
}

static layers_code NAME(backward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    const layers_cache *cache = call->cache;
    const REAL *dout = call->inputs[0].data, *x = cache->saved[SAVED_X].data,
               *gamma = cache->saved[SAVED_GAMMA].data;
    const double *mean = cache->saved[MEAN].data, *inv_std = cache->saved[INV_STD].data;
    REAL *dx = call->outputs[DX].data, *dgamma = call->outputs[DGAMMA].data,
         *dbeta = call->outputs[DBETA].data;
    for (size_t d0 = 0; d0 < D; d0 += COLUMN_PANEL) {
        size_t width = at_most(COLUMN_PANEL, D - d0);
        double slope[COLUMN_PANEL], shift[COLUMN_PANEL];
        NAME(panel_sums)(N, D, width, dout + d0, x + d0, mean + d0, inv_std + d0, slope, shift);
        for (size_t d = 0; d < width; d++) {
            dgamma[d0 + d] = (REAL)slope[d];
            dbeta[d0 + d] = (REAL)shift[d];
            slope[d] /= (double)N;
            shift[d] /= (double)N;
        }
        if (cache->choice[MODE] == TRAIN)
            NAME(panel_dx)
        (N, D, width, dout + d0, x + d0, mean + d0, inv_std + d0, gamma + d0, shift, slope,
         dx + d0);
        else NAME(panel_dx_test)(N, D, width, dout + d0, inv_std + d0, gamma + d0, dx + d0);
    }
    return LAYERS_OK;
}

#endif
