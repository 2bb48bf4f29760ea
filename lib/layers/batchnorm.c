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
 * Statistics are in double, the variance from x − mean: x = 1e8 ± 1 loses nothing.
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
enum { STATISTICS_ROWS = 32 }; /* of a panel, in the first-level cache together */

static layers_code check_rows(const layers_call *call, layers_error *error) {
    return call->params[MODE].choice == TRAIN ? call_needs_rows(call, error) : LAYERS_OK;
}

#define THIS_FILE "layers/batchnorm.c"
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

#else /* the kernels, for REAL */

/* At most COLUMN_PANEL columns of a call: what its threads take one at a time. */
typedef struct {
    size_t N, D, width;   /* rows; columns of the whole tensors, and of the panel */
    const REAL *x, *dout; /* the tensors, from the panel's first column on */
    REAL *out;            /* out, or dx */
    const REAL *gamma, *beta;
    double *mean, *inv_std;
} typed(panel);

static typed(panel) typed(panel_of)(const layers_call *call, const layers_cache *cache, size_t i) {
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    size_t first = i * COLUMN_PANEL;
    return (typed(panel)){
        .N = N,
        .D = D,
        .width = at_most(COLUMN_PANEL, D - first),
        .x = (const REAL *)cache->saved[SAVED_X].data + first,
        .out = (REAL *)call->outputs[0].data + first,
        .gamma = (const REAL *)cache->saved[SAVED_GAMMA].data + first,
        .mean = (double *)cache->saved[MEAN].data + first,
        .inv_std = (double *)cache->saved[INV_STD].data + first,
    };
}

static size_t typed(panels)(const layers_call *call) {
    size_t D = dims_length(&call->dims, 'D');
    return D / COLUMN_PANEL + (D % COLUMN_PANEL != 0);
}

static void typed(run_panels)(layers_call *call, void (*task)(void *argument, size_t i)) {
    size_t size = dims_length(&call->dims, 'N') * dims_length(&call->dims, 'D');
    layers_pool_run(call_pool(call, size), typed(panels)(call), task, call);
}

/* sum = Σ x and scatter = Σ (x − mean)² over some rows of the panel, about their own mean: two
 * passes over rows that are in the cache. */
INLINED void typed(block_statistics)(const typed(panel) * p, size_t first, size_t count,
                                     double *restrict sum, double *restrict scatter) {
    const REAL *x = p->x + first * p->D;
    size_t width = p->width, D = p->D;
    double mean[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++)
        sum[d] = scatter[d] = 0;
    for (size_t n = 0; n < count; n++)
        for (size_t d = 0; d < width; d++)
            sum[d] += x[n * D + d];
    for (size_t d = 0; d < width; d++)
        mean[d] = sum[d] / (double)count;
    for (size_t n = 0; n < count; n++)
        for (size_t d = 0; d < width; d++) {
            double distance = x[n * D + d] - mean[d];
            scatter[d] += distance * distance;
        }
}

/* mean and variance of each column of the panel, with one reading of it from memory: the blocks'
 * are put together by the formula of Chan, Golub and LeVeque ("Updating formulae and a pairwise
 * algorithm for computing sample variances", 1979). */
KERNEL void typed(statistics)(const typed(panel) * p, double *restrict variance) {
    double total[COLUMN_PANEL] = {0}, scatter[COLUMN_PANEL] = {0};
    double sum[COLUMN_PANEL], block_scatter[COLUMN_PANEL];
    double *mean = p->mean;
    for (size_t n = 0; n < p->N; n += STATISTICS_ROWS) {
        size_t count = at_most(STATISTICS_ROWS, p->N - n);
        typed(block_statistics)(p, n, count, sum, block_scatter);
        double before = (double)n, more = (double)count;
        double weight = before * more / (before + more);
        for (size_t d = 0; d < p->width; d++) {
            double apart = n ? sum[d] / more - total[d] / before : 0;
            scatter[d] += block_scatter[d] + apart * apart * weight;
            total[d] += sum[d];
        }
    }
    for (size_t d = 0; d < p->width; d++) {
        mean[d] = total[d] / (double)p->N;
        variance[d] = scatter[d] / (double)p->N;
    }
}

/* out = gamma · (x − mean) · inv_std + beta */
KERNEL void typed(normalise)(const typed(panel) * p) {
    size_t width = p->width;
    double mean[COLUMN_PANEL], inv_std[COLUMN_PANEL], gamma[COLUMN_PANEL], beta[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++) {
        mean[d] = p->mean[d];
        inv_std[d] = p->inv_std[d];
        gamma[d] = p->gamma[d];
        beta[d] = p->beta[d];
    }
    for (size_t n = 0; n < p->N; n++) {
        const REAL *restrict x = p->x + n * p->D;
        REAL *restrict out = p->out + n * p->D;
        for (size_t d = 0; d < width; d++)
            out[d] = (REAL)((x[d] - mean[d]) * inv_std[d] * gamma[d] + beta[d]);
    }
}

static void typed(move)(REAL *running, size_t width, double momentum, const double *sample) {
    for (size_t d = 0; d < width; d++)
        running[d] = (REAL)(momentum * running[d] + (1 - momentum) * sample[d]);
}

static void typed(forward_panel)(void *argument, size_t i) {
    layers_call *call = argument;
    layers_value *param = call->params;
    typed(panel) p = typed(panel_of)(call, call->cache, i);
    REAL *running_mean = (REAL *)param[RUNNING_MEAN].vector.data + i * COLUMN_PANEL;
    REAL *running_var = (REAL *)param[RUNNING_VAR].vector.data + i * COLUMN_PANEL;
    double variance[COLUMN_PANEL];
    p.beta = (const REAL *)call->inputs[BETA].data + i * COLUMN_PANEL;
    if (param[MODE].choice == TRAIN) {
        typed(statistics)(&p, variance);
        typed(move)(running_mean, p.width, param[MOMENTUM].number, p.mean);
        typed(move)(running_var, p.width, param[MOMENTUM].number, variance);
    } else {
        for (size_t d = 0; d < p.width; d++) {
            p.mean[d] = running_mean[d];
            variance[d] = running_var[d];
        }
    }
    for (size_t d = 0; d < p.width; d++)
        p.inv_std[d] = 1 / sqrt(variance[d] + param[EPS].number);
    typed(normalise)(&p);
}

/* Gives the call running statistics of its own, which are then moved: the caller's, or zeros. */
static layers_code typed(own_running)(layers_call *call, int param, layers_error *error) {
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

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    layers_code code = typed(own_running)(call, RUNNING_MEAN, error);
    if (code == LAYERS_OK)
        code = typed(own_running)(call, RUNNING_VAR, error);
    if (code == LAYERS_OK)
        typed(run_panels)(call, typed(forward_panel));
    return code;
}

/* dgamma = Σ dout · xhat and dbeta = Σ dout */
KERNEL void typed(sums)(const typed(panel) * p, double *restrict dgamma, double *restrict dbeta) {
    size_t width = p->width;
    double mean[COLUMN_PANEL], inv_std[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++) {
        mean[d] = p->mean[d];
        inv_std[d] = p->inv_std[d];
        dgamma[d] = dbeta[d] = 0;
    }
    for (size_t n0 = 0; n0 < p->N; n0 += ROW_BLOCK) {
        double gamma_block[COLUMN_PANEL] = {0}, beta_block[COLUMN_PANEL] = {0};
        for (size_t n = n0; n < at_most(p->N, n0 + ROW_BLOCK); n++) {
            const REAL *x = p->x + n * p->D, *dout = p->dout + n * p->D;
            for (size_t d = 0; d < width; d++) {
                beta_block[d] += dout[d];
                gamma_block[d] += dout[d] * ((x[d] - mean[d]) * inv_std[d]);
            }
        }
        for (size_t d = 0; d < width; d++) {
            dbeta[d] += beta_block[d];
            dgamma[d] += gamma_block[d];
        }
    }
}

/* dx = gamma · inv_std · (dout − shift − xhat · slope) */
KERNEL void typed(gradient)(const typed(panel) * p, const double *restrict shift,
                            const double *restrict slope) {
    size_t width = p->width;
    double mean[COLUMN_PANEL], inv_std[COLUMN_PANEL], scale[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++) {
        mean[d] = p->mean[d];
        inv_std[d] = p->inv_std[d];
        scale[d] = p->gamma[d] * p->inv_std[d];
    }
    for (size_t n = 0; n < p->N; n++) {
        const REAL *restrict x = p->x + n * p->D, *restrict dout = p->dout + n * p->D;
        REAL *restrict dx = p->out + n * p->D;
        for (size_t d = 0; d < width; d++) {
            double xhat = (x[d] - mean[d]) * inv_std[d];
            dx[d] = (REAL)(scale[d] * (dout[d] - shift[d] - xhat * slope[d]));
        }
    }
}

/* dx = gamma · inv_std · dout, where the statistics were constants */
KERNEL void typed(gradient_of_constants)(const typed(panel) * p) {
    size_t width = p->width;
    double scale[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++)
        scale[d] = p->gamma[d] * p->inv_std[d];
    for (size_t n = 0; n < p->N; n++) {
        const REAL *restrict dout = p->dout + n * p->D;
        REAL *restrict dx = p->out + n * p->D;
        for (size_t d = 0; d < width; d++)
            dx[d] = (REAL)(scale[d] * dout[d]);
    }
}

static void typed(backward_panel)(void *argument, size_t i) {
    layers_call *call = argument;
    typed(panel) p = typed(panel_of)(call, call->cache, i);
    REAL *dgamma = (REAL *)call->outputs[DGAMMA].data + i * COLUMN_PANEL;
    REAL *dbeta = (REAL *)call->outputs[DBETA].data + i * COLUMN_PANEL;
    double slope[COLUMN_PANEL], shift[COLUMN_PANEL];
    p.dout = (const REAL *)call->inputs[0].data + i * COLUMN_PANEL;
    typed(sums)(&p, slope, shift);
    for (size_t d = 0; d < p.width; d++) {
        dgamma[d] = (REAL)slope[d];
        dbeta[d] = (REAL)shift[d];
        slope[d] /= (double)p.N;
        shift[d] /= (double)p.N;
    }
    if (call->cache->choice[MODE] == TRAIN)
        typed(gradient)(&p, shift, slope);
    else
        typed(gradient_of_constants)(&p);
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    typed(run_panels)(call, typed(backward_panel));
    return LAYERS_OK;
}

#endif
