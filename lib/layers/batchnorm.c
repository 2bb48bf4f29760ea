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

/* Rows that are passed over together: what goes with a column is loaded once. */
enum { NORMALISED_ABREAST = 4, GRADIENTS_ABREAST = 2 };

static layers_code check_rows(const layers_call *call, layers_error *error) {
    return call->params[MODE].choice == TRAIN ? call_needs_rows(call, error) : LAYERS_OK;
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

#include "batchnorm_sums.h"
#include "split.h"

/* One way over all tiles of a call. */
typedef struct {
    layers_call *call;
    tiling tiling;
    tile_sums sums; /* backward's uppermost become Σ dout / N and Σ dout · xhat / N */
    layers_tensor memory;
} typed(pass);

/* A tile, and what its columns have; or some columns with all of their rows. */
typedef struct {
    typed(columns) in; /* of x, and of dout in backward */
    size_t row, first; /* of tiles; column */
    REAL *out;         /* out, or dx */
    const REAL *gamma, *beta;
    double *mean, *inv_std;
} typed(tile);

static typed(tile) typed(columns_of)(const typed(pass) * pass, size_t i) {
    const layers_cache *cache = pass->call->cache;
    size_t D = pass->tiling.D, first = i * pass->tiling.columns;
    return (typed(tile)){
        .in = {.N = pass->tiling.N, .D = D, .width = at_most(pass->tiling.columns, D - first)},
        .first = first,
        .out = (REAL *)pass->call->outputs[0].data + first,
        .gamma = (const REAL *)cache->saved[SAVED_GAMMA].data + first,
        .mean = (double *)cache->saved[MEAN].data + first,
        .inv_std = (double *)cache->saved[INV_STD].data + first,
    };
}

static typed(tile) typed(tile_of)(const typed(pass) * pass, size_t i) {
    const layers_call *call = pass->call;
    size_t across = pass->tiling.across, row = i / across;
    typed(tile) tile = typed(columns_of)(pass, i % across);
    size_t offset = row * pass->tiling.rows * pass->tiling.D;
    tile.row = row;
    tile.in.N = tile_height(&pass->tiling, row);
    tile.out += offset;
    if (tile.in.N > 0) { /* without rows there may be no memory */
        tile.in.x = (const REAL *)call->cache->saved[SAVED_X].data + offset + tile.first;
        tile.in.dout = (const REAL *)call->inputs[0].data + offset + tile.first;
    }
    return tile;
}

/* A tile's sums, or those of the uppermost and, with D between, the ones below. */
static tile_sums typed(sums_of)(const typed(pass) * pass, const typed(tile) * tile) {
    size_t offset = tile->row * pass->tiling.D + tile->first;
    const tile_sums *all = &pass->sums;
    return (tile_sums){all->near + offset, all->u + offset, all->v + offset};
}

static void typed(run_tiles)(typed(pass) * pass, void (*task)(void *argument, size_t i)) {
    const tiling *t = &pass->tiling;
    layers_pool_run(call_pool(pass->call, t->N * t->D, NANOSECONDS), t->down * t->across, task,
                    pass);
}

static void typed(run_columns)(typed(pass) * pass, void (*task)(void *argument, size_t i)) {
    const tiling *t = &pass->tiling;
    layers_pool_run(call_pool(pass->call, t->down * t->D, NANOSECONDS), t->across, task, pass);
}

static layers_code typed(pass_make)(layers_call *call, typed(pass) * pass, layers_error *error) {
    size_t D = dims_length(&call->dims, 'D');
    *pass = (typed(pass)){.call = call, .tiling = tiling_of(dims_length(&call->dims, 'N'), D)};
    size_t down = pass->tiling.down;
    layers_code code =
        layers_tensor_make(&pass->memory, LAYERS_F64, (size_t[]){3 * down, D}, 2, error);
    if (code != LAYERS_OK)
        return code;
    double *memory = pass->memory.data;
    pass->sums = (tile_sums){memory, memory + down * D, memory + 2 * down * D};
    return LAYERS_OK;
}

/* As REAL, and finite: a distance of 0 stays 0. */
INLINED REAL typed(finite)(double value) {
    const double largest = sizeof(REAL) == 4 ? FLT_MAX : DBL_MAX;
    return (REAL)(value > largest ? largest : value);
}

/* 1 or NORMALISED_ABREAST rows. */
INLINED void typed(normalise_rows)(const typed(tile) * tile, size_t n, size_t rows,
                                   const typed(split) * mean, const REAL *inv_std,
                                   const REAL *gamma, const REAL *beta) {
    size_t width = tile->in.width, D = tile->in.D;
    const REAL *restrict x = tile->in.x + n * D;
    REAL *restrict out = tile->out + n * D;
    INDEPENDENT
    for (size_t d = 0; d < width; d++)
        for (size_t i = 0; i < rows; i++)
            out[i * D + d] = typed(less)(x[i * D + d], mean, d) * inv_std[d] * gamma[d] + beta[d];
}

/* out = gamma · (x − mean) · inv_std + beta */
KERNEL void typed(normalise)(const typed(tile) * tile) {
    size_t width = tile->in.width;
    typed(split) mean;
    REAL inv_std[COLUMN_PANEL], gamma[COLUMN_PANEL], beta[COLUMN_PANEL];
    typed(split_up)(width, tile->mean, &mean);
    for (size_t d = 0; d < width; d++) {
        inv_std[d] = typed(finite)(tile->inv_std[d]);
        gamma[d] = tile->gamma[d];
        beta[d] = tile->beta[d];
    }
    size_t n = 0;
    for (; n + NORMALISED_ABREAST <= tile->in.N; n += NORMALISED_ABREAST)
        typed(normalise_rows)(tile, n, NORMALISED_ABREAST, &mean, inv_std, gamma, beta);
    for (; n < tile->in.N; n++)
        typed(normalise_rows)(tile, n, 1, &mean, inv_std, gamma, beta);
}

static void typed(sum_squares_of_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_of)(pass, i);
    tile_sums sums = typed(sums_of)(pass, &tile);
    typed(sum_squares)(&tile.in, &sums);
}

static void typed(move)(REAL *running, size_t width, double momentum, const double *sample) {
    for (size_t d = 0; d < width; d++)
        running[d] = (REAL)(momentum * running[d] + (1 - momentum) * sample[d]);
}

static void typed(statistics)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    layers_value *param = pass->call->params;
    typed(tile) tile = typed(columns_of)(pass, i);
    REAL *running_mean = (REAL *)param[RUNNING_MEAN].vector.data + tile.first;
    REAL *running_var = (REAL *)param[RUNNING_VAR].vector.data + tile.first;
    double variance[COLUMN_PANEL];
    if (param[MODE].choice == TRAIN) {
        tile_sums sums = typed(sums_of)(pass, &tile);
        merge_squares(&pass->tiling, &sums, tile.in.width, tile.mean, variance);
        typed(move)(running_mean, tile.in.width, param[MOMENTUM].number, tile.mean);
        typed(move)(running_var, tile.in.width, param[MOMENTUM].number, variance);
    } else {
        for (size_t d = 0; d < tile.in.width; d++) {
            tile.mean[d] = running_mean[d];
            variance[d] = running_var[d];
        }
    }
    for (size_t d = 0; d < tile.in.width; d++)
        tile.inv_std[d] = 1 / sqrt(variance[d] + param[EPS].number);
}

static void typed(normalise_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_of)(pass, i);
    tile.beta = (const REAL *)pass->call->inputs[BETA].data + tile.first;
    typed(normalise)(&tile);
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
    typed(pass) pass;
    layers_code code = typed(own_running)(call, RUNNING_MEAN, error);
    if (code == LAYERS_OK)
        code = typed(own_running)(call, RUNNING_VAR, error);
    if (code == LAYERS_OK)
        code = typed(pass_make)(call, &pass, error);
    if (code != LAYERS_OK)
        return code;
    if (call->params[MODE].choice == TRAIN)
        typed(run_tiles)(&pass, typed(sum_squares_of_tile));
    typed(run_columns)(&pass, typed(statistics));
    typed(run_tiles)(&pass, typed(normalise_tile));
    layers_tensor_clear(&pass.memory);
    return LAYERS_OK;
}

/* 1 or GRADIENTS_ABREAST rows. */
INLINED void typed(gradient_rows)(const typed(tile) * tile, size_t n, size_t rows,
                                  const typed(split) * mean, const typed(split) * shift,
                                  const REAL *inv_std, const REAL *slope, const REAL *gamma) {
    size_t width = tile->in.width, D = tile->in.D;
    const REAL *restrict x = tile->in.x + n * D, *restrict dout = tile->in.dout + n * D;
    REAL *restrict dx = tile->out + n * D;
    INDEPENDENT
    for (size_t d = 0; d < width; d++)
        for (size_t i = 0; i < rows; i++) {
            REAL xhat = typed(less)(x[i * D + d], mean, d) * inv_std[d];
            REAL rest = typed(less)(dout[i * D + d], shift, d) - xhat * slope[d];
            dx[i * D + d] = rest * inv_std[d] * gamma[d];
        }
}

/* dx = gamma · inv_std · (dout − shift − xhat · slope) */
KERNEL void typed(gradient)(const typed(tile) * tile, const double *restrict shifts,
                            const double *restrict slopes) {
    size_t width = tile->in.width;
    typed(split) mean, shift;
    REAL inv_std[COLUMN_PANEL], slope[COLUMN_PANEL], gamma[COLUMN_PANEL];
    typed(split_up)(width, tile->mean, &mean);
    typed(split_up)(width, shifts, &shift);
    for (size_t d = 0; d < width; d++) {
        inv_std[d] = typed(finite)(tile->inv_std[d]);
        slope[d] = (REAL)slopes[d];
        gamma[d] = tile->gamma[d];
    }
    size_t n = 0;
    for (; n + GRADIENTS_ABREAST <= tile->in.N; n += GRADIENTS_ABREAST)
        typed(gradient_rows)(tile, n, GRADIENTS_ABREAST, &mean, &shift, inv_std, slope, gamma);
    for (; n < tile->in.N; n++)
        typed(gradient_rows)(tile, n, 1, &mean, &shift, inv_std, slope, gamma);
}

/* dx = gamma · inv_std · dout, where the statistics were constants */
KERNEL void typed(gradient_of_constants)(const typed(tile) * tile) {
    size_t width = tile->in.width;
    double scale[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++)
        scale[d] = tile->gamma[d] * tile->inv_std[d];
    for (size_t n = 0; n < tile->in.N; n++) {
        const REAL *restrict dout = tile->in.dout + n * tile->in.D;
        REAL *restrict dx = tile->out + n * tile->in.D;
        for (size_t d = 0; d < width; d++)
            dx[d] = (REAL)(scale[d] * dout[d]);
    }
}

static void typed(sum_products_of_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_of)(pass, i);
    tile_sums sums = typed(sums_of)(pass, &tile);
    typed(sum_products)(&tile.in, tile.mean, &sums);
}

/* dbeta = Σ dout and dgamma = Σ dout · xhat */
static void typed(gradients_of_columns)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(columns_of)(pass, i);
    tile_sums sums = typed(sums_of)(pass, &tile);
    REAL *dgamma = (REAL *)pass->call->outputs[DGAMMA].data + tile.first;
    REAL *dbeta = (REAL *)pass->call->outputs[DBETA].data + tile.first;
    double *shift = sums.u, *slope = sums.v;
    merge_products(&pass->tiling, &sums, tile.in.width);
    for (size_t d = 0; d < tile.in.width; d++) {
        slope[d] *= tile.inv_std[d];
        dgamma[d] = (REAL)slope[d];
        dbeta[d] = (REAL)shift[d];
        slope[d] /= (double)pass->tiling.N;
        shift[d] /= (double)pass->tiling.N;
    }
}

static void typed(gradient_of_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_of)(pass, i);
    if (pass->call->cache->choice[MODE] == TRAIN)
        typed(gradient)(&tile, pass->sums.u + tile.first, pass->sums.v + tile.first);
    else
        typed(gradient_of_constants)(&tile);
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    typed(pass) pass;
    layers_code code = typed(pass_make)(call, &pass, error);
    if (code != LAYERS_OK)
        return code;
    typed(run_tiles)(&pass, typed(sum_products_of_tile));
    typed(run_columns)(&pass, typed(gradients_of_columns));
    typed(run_tiles)(&pass, typed(gradient_of_tile));
    layers_tensor_clear(&pass.memory);
    return LAYERS_OK;
}

#endif
