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
 * Statistics and sums are in double, the variance from x − mean: x = 1e8 ± 1 loses nothing. What is
 * done to each element is in its own dtype.
 * The cache shares x and gamma and adds mean and 1 / sqrt(var + eps) of each feature. */
#ifndef REAL
#include <float.h>
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
enum {
    ABREAST = 2
}; /* rows that are passed over together, so that what goes with a column is loaded once */

static layers_code check_rows(const layers_call *call, layers_error *error) {
    return call->params[MODE].choice == TRAIN ? call_needs_rows(call, error) : LAYERS_OK;
}

/* The first 29 of a number's 53 bits: distances from it are exact where x has digits to spare. */
INLINED double shortened(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits &= ~(uint64_t)0 << 24;
    memcpy(&number, &bits, sizeof number);
    return number;
}

#define NANOSECONDS (0.8) /* an element, for one thread */
#define THIS_FILE   "layers/batchnorm.c"
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

#include "columns.h"
#include "split.h"

/* Some columns of a call, at most COLUMN_PANEL: what its threads take one at a time. What a column
 * gives depends on itself alone. */
typedef struct {
    typed(columns) in; /* of x, and of dout */
    size_t first;      /* column */
    REAL *out;         /* out, or dx */
    const REAL *gamma, *beta;
    double *mean, *inv_std;
} typed(panel);

/* Half of the columns, as wide as they may be: rows are read fastest in long pieces. */
static size_t typed(panel_width)(size_t D) {
    size_t half = (D / 2 + 15) / 16 * 16;
    return half < 32 ? 32 : at_most(half, COLUMN_PANEL);
}

static typed(panel) typed(panel_of)(const layers_call *call, const layers_cache *cache, size_t i) {
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    size_t width = typed(panel_width)(D), first = i * width;
    return (typed(panel)){
        .in = {.N = N,
               .D = D,
               .width = at_most(width, D - first),
               .x = (const REAL *)cache->saved[SAVED_X].data + first},
        .first = first,
        .out = (REAL *)call->outputs[0].data + first,
        .gamma = (const REAL *)cache->saved[SAVED_GAMMA].data + first,
        .mean = (double *)cache->saved[MEAN].data + first,
        .inv_std = (double *)cache->saved[INV_STD].data + first,
    };
}

/* Makes a panel that of its i-th ROW_BLOCK of rows. */
static void typed(take_block)(typed(panel) * p, size_t i) {
    size_t first = i * ROW_BLOCK, offset = first * p->in.D;
    p->in.N = at_most(ROW_BLOCK, p->in.N - first);
    p->in.x += offset;
    if (p->in.dout)
        p->in.dout += offset;
    p->out += offset;
}

/* What is done to each element goes over whole rows, ROW_BLOCK of them at a time: the processor
 * fetches ahead, and rows of a power of two do not fall on each other in its caches. */
static void typed(run_rows)(const layers_call *call, void (*task)(void *argument, size_t i),
                            void *argument) {
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    layers_pool_run(call_pool(call, N * D, NANOSECONDS), (N + ROW_BLOCK - 1) / ROW_BLOCK, task,
                    argument);
}

static void typed(run_panels)(const layers_call *call, void (*task)(void *argument, size_t i),
                              void *argument) {
    size_t D = dims_length(&call->dims, 'D'), size = dims_length(&call->dims, 'N') * D;
    size_t width = typed(panel_width)(D);
    layers_pool_run(call_pool(call, size, NANOSECONDS), (D + width - 1) / width, task, argument);
}

/* mean and variance of each column, with one reading: by the distances from the mean of the first
 * rows. That is near enough to the mean of all: the square of what lies between them is at most
 * N / ROW_BLOCK times the variance, and so many roundings is what it costs at most. */
KERNEL void typed(statistics)(const typed(panel) * p, double *restrict variance) {
    typed(column_pair) sums;
    typed(columns) first = p->in;
    double near[COLUMN_PANEL], N = (double)p->in.N;
    first.N = at_most(ROW_BLOCK, p->in.N);
    typed(column_sums)(&first, PLAIN, NULL, &sums);
    for (size_t d = 0; d < p->in.width; d++)
        near[d] = shortened(sums.u[d] / (double)first.N);
    typed(column_sums)(&p->in, SQUARES, near, &sums);
    for (size_t d = 0; d < p->in.width; d++) {
        double left = sums.u[d] / N, square = sums.v[d] / N - left * left;
        p->mean[d] = (near[d] * N + sums.u[d]) / N;
        variance[d] = square < 0 ? 0 : square;
    }
}

/* As REAL, and finite: a distance of 0 stays 0. */
INLINED REAL typed(finite)(double value) {
    const double largest = sizeof(REAL) == 4 ? FLT_MAX : DBL_MAX;
    return (REAL)(value > largest ? largest : value);
}

/* 1 or ABREAST rows. */
INLINED void typed(normalise_rows)(const typed(panel) * p, size_t n, size_t rows,
                                   const typed(split) * mean, const REAL *inv_std,
                                   const REAL *gamma, const REAL *beta) {
    const REAL *restrict x = p->in.x + n * p->in.D;
    REAL *restrict out = p->out + n * p->in.D;
    size_t width = p->in.width, D = p->in.D;
    INDEPENDENT
    for (size_t d = 0; d < width; d++)
        for (size_t i = 0; i < rows; i++)
            out[i * D + d] = typed(less)(x[i * D + d], mean, d) * inv_std[d] * gamma[d] + beta[d];
}

/* out = gamma · (x − mean) · inv_std + beta */
KERNEL void typed(normalise)(const typed(panel) * p) {
    size_t width = p->in.width;
    typed(split) mean;
    REAL inv_std[COLUMN_PANEL], gamma[COLUMN_PANEL], beta[COLUMN_PANEL];
    typed(split_up)(width, p->mean, &mean);
    for (size_t d = 0; d < width; d++) {
        inv_std[d] = typed(finite)(p->inv_std[d]);
        gamma[d] = p->gamma[d];
        beta[d] = p->beta[d];
    }
    size_t n = 0;
    for (; n + ABREAST <= p->in.N; n += ABREAST)
        typed(normalise_rows)(p, n, ABREAST, &mean, inv_std, gamma, beta);
    for (; n < p->in.N; n++)
        typed(normalise_rows)(p, n, 1, &mean, inv_std, gamma, beta);
}

static void typed(move)(REAL *running, size_t width, double momentum, const double *sample) {
    for (size_t d = 0; d < width; d++)
        running[d] = (REAL)(momentum * running[d] + (1 - momentum) * sample[d]);
}

static void typed(statistics_panel)(void *argument, size_t i) {
    layers_call *call = argument;
    layers_value *param = call->params;
    typed(panel) p = typed(panel_of)(call, call->cache, i);
    REAL *running_mean = (REAL *)param[RUNNING_MEAN].vector.data + p.first;
    REAL *running_var = (REAL *)param[RUNNING_VAR].vector.data + p.first;
    double variance[COLUMN_PANEL];
    if (param[MODE].choice == TRAIN) {
        typed(statistics)(&p, variance);
        typed(move)(running_mean, p.in.width, param[MOMENTUM].number, p.mean);
        typed(move)(running_var, p.in.width, param[MOMENTUM].number, variance);
    } else {
        for (size_t d = 0; d < p.in.width; d++) {
            p.mean[d] = running_mean[d];
            variance[d] = running_var[d];
        }
    }
    for (size_t d = 0; d < p.in.width; d++)
        p.inv_std[d] = 1 / sqrt(variance[d] + param[EPS].number);
}

static void typed(normalise_block)(void *argument, size_t i) {
    layers_call *call = argument;
    size_t D = dims_length(&call->dims, 'D'), width = typed(panel_width)(D);
    for (size_t d = 0; d < D; d += width) {
        typed(panel) p = typed(panel_of)(call, call->cache, d / width);
        p.beta = (const REAL *)call->inputs[BETA].data + d;
        typed(take_block)(&p, i);
        typed(normalise)(&p);
    }
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
    if (code != LAYERS_OK)
        return code;
    typed(run_panels)(call, typed(statistics_panel), call);
    typed(run_rows)(call, typed(normalise_block), call);
    return LAYERS_OK;
}

/* dbeta = Σ dout and dgamma = Σ dout · xhat */
KERNEL void typed(products)(const typed(panel) * p, double *restrict dgamma,
                            double *restrict dbeta) {
    typed(column_pair) sums;
    double mean[COLUMN_PANEL];
    for (size_t d = 0; d < p->in.width; d++)
        mean[d] = p->mean[d];
    typed(column_sums)(&p->in, PRODUCTS, mean, &sums);
    for (size_t d = 0; d < p->in.width; d++) {
        dbeta[d] = sums.u[d];
        dgamma[d] = sums.v[d] * p->inv_std[d];
    }
}

/* 1 or ABREAST rows. */
INLINED void typed(gradient_rows)(const typed(panel) * p, size_t n, size_t rows,
                                  const typed(split) * mean, const typed(split) * shift,
                                  const REAL *inv_std, const REAL *slope, const REAL *gamma) {
    const REAL *restrict x = p->in.x + n * p->in.D, *restrict dout = p->in.dout + n * p->in.D;
    REAL *restrict dx = p->out + n * p->in.D;
    size_t width = p->in.width, D = p->in.D;
    INDEPENDENT
    for (size_t d = 0; d < width; d++)
        for (size_t i = 0; i < rows; i++) {
            REAL xhat = typed(less)(x[i * D + d], mean, d) * inv_std[d];
            REAL rest = typed(less)(dout[i * D + d], shift, d) - xhat * slope[d];
            dx[i * D + d] = rest * inv_std[d] * gamma[d];
        }
}

/* dx = gamma · inv_std · (dout − shift − xhat · slope) */
KERNEL void typed(gradient)(const typed(panel) * p, const double *restrict shifts,
                            const double *restrict slopes) {
    size_t width = p->in.width;
    typed(split) mean, shift;
    REAL inv_std[COLUMN_PANEL], slope[COLUMN_PANEL], gamma[COLUMN_PANEL];
    typed(split_up)(width, p->mean, &mean);
    typed(split_up)(width, shifts, &shift);
    for (size_t d = 0; d < width; d++) {
        inv_std[d] = typed(finite)(p->inv_std[d]);
        slope[d] = (REAL)slopes[d];
        gamma[d] = p->gamma[d];
    }
    size_t n = 0;
    for (; n + ABREAST <= p->in.N; n += ABREAST)
        typed(gradient_rows)(p, n, ABREAST, &mean, &shift, inv_std, slope, gamma);
    for (; n < p->in.N; n++)
        typed(gradient_rows)(p, n, 1, &mean, &shift, inv_std, slope, gamma);
}

/* dx = gamma · inv_std · dout, where the statistics were constants */
KERNEL void typed(gradient_of_constants)(const typed(panel) * p) {
    size_t width = p->in.width;
    double scale[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++)
        scale[d] = p->gamma[d] * p->inv_std[d];
    for (size_t n = 0; n < p->in.N; n++) {
        const REAL *restrict dout = p->in.dout + n * p->in.D;
        REAL *restrict dx = p->out + n * p->in.D;
        for (size_t d = 0; d < width; d++)
            dx[d] = (REAL)(scale[d] * dout[d]);
    }
}

typedef struct {
    layers_call *call;
    double *shift, *slope; /* of each column */
} typed(backward_pass);

static void typed(products_panel)(void *argument, size_t i) {
    const typed(backward_pass) *pass = argument;
    const layers_call *call = pass->call;
    typed(panel) p = typed(panel_of)(call, call->cache, i);
    REAL *dgamma = (REAL *)call->outputs[DGAMMA].data + p.first;
    REAL *dbeta = (REAL *)call->outputs[DBETA].data + p.first;
    double *slope = pass->slope + p.first, *shift = pass->shift + p.first;
    p.in.dout = (const REAL *)call->inputs[0].data + p.first;
    typed(products)(&p, slope, shift);
    for (size_t d = 0; d < p.in.width; d++) {
        dgamma[d] = (REAL)slope[d];
        dbeta[d] = (REAL)shift[d];
        slope[d] /= (double)p.in.N;
        shift[d] /= (double)p.in.N;
    }
}

static void typed(gradient_block)(void *argument, size_t i) {
    const typed(backward_pass) *pass = argument;
    const layers_call *call = pass->call;
    size_t D = dims_length(&call->dims, 'D'), width = typed(panel_width)(D);
    for (size_t d = 0; d < D; d += width) {
        typed(panel) p = typed(panel_of)(call, call->cache, d / width);
        p.in.dout = (const REAL *)call->inputs[0].data + d;
        typed(take_block)(&p, i);
        if (call->cache->choice[MODE] == TRAIN)
            typed(gradient)(&p, pass->shift + d, pass->slope + d);
        else
            typed(gradient_of_constants)(&p);
    }
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    layers_tensor columns;
    size_t D = dims_length(&call->dims, 'D');
    layers_code code = layers_tensor_make(&columns, LAYERS_F64, (size_t[]){2, D}, 2, error);
    if (code != LAYERS_OK)
        return code;
    double *column = columns.data;
    typed(backward_pass) pass = {.call = call, .shift = column, .slope = column + D};
    typed(run_panels)(call, typed(products_panel), &pass);
    typed(run_rows)(call, typed(gradient_block), &pass);
    layers_tensor_clear(&columns);
    return LAYERS_OK;
}

#endif
