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
 * Statistics and sums are in double, of distances from a number near to all of a column, and the
 * mean is kept as the sum of two numbers: x = 1e12 ± 0.01 loses nothing, and equal numbers give
 * beta. What is done to each element is in its own dtype. The few columns for which that is not
 * enough, those near the ends of the dtype's range among them, are done again in long double.
 * The cache shares x and gamma and adds mean and 1 / sqrt(var + eps) of each feature. */
#ifndef REAL
#include <float.h>
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "bn_param.h"
#include "call.h"
#include "kernel.h"
#include "normalised.h"
#include "stream.h"

enum { X, GAMMA, BETA };    /* forward's inputs */
enum { DX, DGAMMA, DBETA }; /* backward's outputs */

extern const layers_answers batchnorm_forward_answers, batchnorm_backward_answers;

/* Rows that are passed over together: what goes with a column is loaded once. */
enum { NORMALISED_ABREAST = 4, GRADIENTS_ABREAST = 2 };

static layers_code check_rows(const layers_call *call, layers_error *error) {
    return call->params[MODE].choice == TRAIN ? call_needs_rows(call, error) : LAYERS_OK;
}

#define NANOSECONDS (sizeof(REAL) / 32.0) /* an element, one way over it, for one thread */
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
    .params = BN_PARAMS("D", "feature"),
    .params_back = true,
    .cache = LAYERS_CACHE_GIVEN,
    .saved = NORMALISED_SAVED("D"),
    .check = check_rows,
    .run = {forward_f64, forward_f32},
    .answers = &batchnorm_forward_answers,
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
    .answers = &batchnorm_backward_answers,
};

#else /* the kernels, for REAL */

#include "batchnorm_tiles.h"
#include "split.h"

KERNEL bool typed(any_far)(const typed(tile) * columns) {
    int any = 0;
    for (size_t d = 0; d < columns->in.width; d++)
        any |= typed(is_far)(columns->mean[d], columns->inv_std[d]);
    return any;
}

/* Keeps in mind whether any of these columns is. */
static void typed(look_for_far)(typed(pass) * pass, const typed(tile) * columns) {
    if (typed(any_far)(columns))
        __atomic_store_n(&pass->has_far, true, __ATOMIC_RELAXED);
}

/* xhat of row n in column d. */
static long double typed(xhat)(const typed(tile) * tile, size_t n, size_t d) {
    return ((long double)tile->in.x[n * tile->in.D + d] - tile->mean[d] - tile->rest[d]) *
           tile->inv_std[d];
}

/* What xhat has too much where the mean is taken as REAL: it is the same for all of a column, and
 * is subtracted with what is subtracted anyway. */
INLINED double typed(left)(const typed(tile) * tile, size_t d) {
    return ((tile->mean[d] - (REAL)tile->mean[d]) + tile->rest[d]) * tile->inv_std[d];
}

/* 1 or NORMALISED_ABREAST rows. */
INLINED void typed(normalise_rows)(const typed(tile) * tile, size_t n, size_t rows,
                                   const REAL *mean, const REAL *inv_std, const REAL *gamma,
                                   const REAL *beta) {
    size_t width = tile->in.width, D = tile->in.D;
    const REAL *restrict x = tile->in.x + n * D;
    REAL *restrict out = tile->out + n * D;
    INDEPENDENT
    for (size_t d = 0; d < width; d++)
        for (size_t i = 0; i < rows; i++)
            out[i * D + d] = (x[i * D + d] - mean[d]) * inv_std[d] * gamma[d] + beta[d];
}

#define AT(array) (*(const typed(lanes) *)((array) + d))

/* A row, past the caches. One at a time: lines that are written in turns leave in pieces. */
INLINED void typed(normalise_past)(const typed(tile) * tile, size_t n, const REAL *mean,
                                   const REAL *inv_std, const REAL *gamma, const REAL *beta) {
    const REAL *x = tile->in.x + n * tile->in.D;
    REAL *out = tile->out + n * tile->in.D;
    for (size_t d = 0; d < tile->in.width; d += LANES_IN) {
        fetch_page_ahead(x + d);
        typed(lanes) row = (AT(x) - AT(mean)) * AT(inv_std) * AT(gamma) + AT(beta);
        store_32(out + d, &row, true);
    }
}

static void typed(normalise_far)(const typed(tile) * tile) {
    for (size_t d = 0; d < tile->in.width; d++)
        if (typed(is_far)(tile->mean[d], tile->inv_std[d]))
            for (size_t n = 0; n < tile->in.N; n++)
                tile->out[n * tile->in.D + d] =
                    (REAL)(typed(xhat)(tile, n, d) * tile->gamma[d] + tile->beta[d]);
}

/* out = gamma · (x − mean) · inv_std + beta */
KERNEL void typed(normalise)(const typed(tile) * tile) {
    size_t width = tile->in.width;
    REAL mean[COLUMN_PANEL], inv_std[COLUMN_PANEL], gamma[COLUMN_PANEL], beta[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++) {
        mean[d] = (REAL)tile->mean[d];
        inv_std[d] = (REAL)tile->inv_std[d];
        gamma[d] = tile->gamma[d];
        beta[d] = (REAL)(tile->beta[d] - typed(left)(tile, d) * tile->gamma[d]);
    }
    size_t n = 0;
    for (; tile->past_caches && n < tile->in.N; n++)
        typed(normalise_past)(tile, n, mean, inv_std, gamma, beta);
    for (; n + NORMALISED_ABREAST <= tile->in.N; n += NORMALISED_ABREAST)
        typed(normalise_rows)(tile, n, NORMALISED_ABREAST, mean, inv_std, gamma, beta);
    for (; n < tile->in.N; n++)
        typed(normalise_rows)(tile, n, 1, mean, inv_std, gamma, beta);
    end_stores(tile->past_caches);
}

static void typed(sum_squares_of_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_of)(pass, i);
    tile_sums sums = typed(sums_of)(pass, &tile);
    typed(sum_squares)(&tile.in, &sums);
}

/* A running statistic of some columns: as it came, and as it goes back. */
typedef struct {
    const REAL *before;
    REAL *after;
} typed(running);

static typed(running) typed(running_of)(const layers_value *param, const typed(tile) * columns) {
    return (typed(running)){(const REAL *)param->before.data + columns->first,
                            (REAL *)param->tensor.data + columns->first};
}

static void typed(move)(const typed(running) * running, size_t width, double momentum,
                        const double *sample) {
    for (size_t d = 0; d < width; d++)
        running->after[d] = (REAL)(momentum * running->before[d] + (1 - momentum) * sample[d]);
}

/* Takes a running statistic as it is, in test mode. */
static void typed(take)(const typed(running) * running, size_t width, double *statistic) {
    for (size_t d = 0; d < width; d++)
        statistic[d] = running->after[d] = running->before[d];
}

KERNEL void typed(invert)(const typed(tile) * columns, const double *restrict variance,
                          double eps) {
    double *restrict inv_std = columns->inv_std;
    for (size_t d = 0; d < columns->in.width; d++)
        inv_std[d] = 1 / sqrt(variance[d] + eps);
}

/* The moments of the columns whose sums did not tell. */
static void typed(tell)(const typed(tile) * tile, double eps, double *variance) {
    for (size_t d = 0; d < tile->in.width; d++) {
        if (!isnan(variance[d]))
            continue;
        const typed(set) column = {tile->in.x + d, tile->in.N, 1, tile->in.D};
        moments moments = typed(moments_of)(&column, eps);
        tile->mean[d] = moments.mean;
        tile->rest[d] = moments.rest;
        variance[d] = moments.variance;
        tile->inv_std[d] = moments.inv_std;
    }
}

static void typed(statistics)(void *argument, size_t i) {
    typed(pass) *pass = argument;
    layers_value *param = pass->call->params;
    typed(tile) tile = typed(columns_of)(pass, i);
    size_t width = tile.in.width;
    typed(running) mean = typed(running_of)(&param[RUNNING_MEAN], &tile);
    typed(running) var = typed(running_of)(&param[RUNNING_VAR], &tile);
    double variance[COLUMN_PANEL];
    if (param[MODE].choice == TRAIN) {
        tile_sums sums = typed(sums_of)(pass, &tile);
        merge_squares(&pass->tiling, &sums, width,
                      &(column_moments){tile.mean, tile.rest, variance});
    } else {
        typed(take)(&mean, width, tile.mean);
        typed(take)(&var, width, variance);
        memset(tile.rest, 0, width * sizeof *tile.rest);
    }
    typed(invert)(&tile, variance, param[EPS].number);
    if (param[MODE].choice == TRAIN) {
        typed(tell)(&tile, param[EPS].number, variance);
        typed(move)(&mean, width, param[MOMENTUM].number, tile.mean);
        typed(move)(&var, width, param[MOMENTUM].number, variance);
    }
    typed(look_for_far)(pass, &tile);
}

static void typed(normalise_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_again)(pass, i);
    tile.beta = (const REAL *)pass->call->inputs[BETA].data + tile.first;
    typed(normalise)(&tile);
    if (pass->has_far)
        typed(normalise_far)(&tile);
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    typed(pass) pass;
    layers_code code = typed(pass_make)(call, &pass, error);
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
INLINED void typed(gradient_rows)(const typed(tile) * tile, size_t n, size_t rows, const REAL *mean,
                                  const typed(split) * shift, const REAL *inv_std,
                                  const REAL *slope, const REAL *gamma) {
    size_t width = tile->in.width, D = tile->in.D;
    const REAL *restrict x = tile->in.x + n * D, *restrict dout = tile->in.dout + n * D;
    REAL *restrict dx = tile->out + n * D;
    INDEPENDENT
    for (size_t d = 0; d < width; d++)
        for (size_t i = 0; i < rows; i++) {
            REAL xhat = (x[i * D + d] - mean[d]) * inv_std[d];
            REAL rest = typed(less)(dout[i * D + d], shift, d) - xhat * slope[d];
            dx[i * D + d] = rest * inv_std[d] * gamma[d];
        }
}

/* Likewise a row past the caches. */
INLINED void typed(gradient_past)(const typed(tile) * tile, size_t n, const REAL *mean,
                                  const typed(split) * shift, const REAL *inv_std,
                                  const REAL *slope, const REAL *gamma) {
    const REAL *x = tile->in.x + n * tile->in.D, *dout = tile->in.dout + n * tile->in.D;
    REAL *dx = tile->out + n * tile->in.D;
    for (size_t d = 0; d < tile->in.width; d += LANES_IN) {
        fetch_page_ahead(x + d);
        fetch_page_ahead(dout + d);
        typed(lanes) xhat = (AT(x) - AT(mean)) * AT(inv_std), rest = AT(dout) - AT(shift->high);
        if (sizeof(REAL) == 4)
            rest -= AT(shift->low);
        rest = (rest - xhat * AT(slope)) * AT(inv_std) * AT(gamma);
        store_32(dx + d, &rest, true);
    }
}

static void typed(gradient_far)(const typed(tile) * tile, const double *shifts,
                                const double *slopes) {
    for (size_t d = 0; d < tile->in.width; d++)
        if (typed(is_far)(tile->mean[d], tile->inv_std[d]))
            for (size_t n = 0; n < tile->in.N; n++) {
                size_t i = n * tile->in.D + d;
                long double rest = (long double)tile->in.dout[i] - shifts[d];
                rest -= typed(xhat)(tile, n, d) * slopes[d];
                tile->out[i] = (REAL)(rest * tile->inv_std[d] * tile->gamma[d]);
            }
}

/* dx = gamma · inv_std · (dout − shift − xhat · slope) */
KERNEL void typed(gradient)(const typed(tile) * tile, const double *restrict shifts,
                            const double *restrict slopes) {
    size_t width = tile->in.width;
    typed(split) shift;
    double shifted[COLUMN_PANEL];
    REAL mean[COLUMN_PANEL], inv_std[COLUMN_PANEL], slope[COLUMN_PANEL], gamma[COLUMN_PANEL];
    for (size_t d = 0; d < width; d++) {
        shifted[d] = shifts[d] - typed(left)(tile, d) * slopes[d];
        mean[d] = (REAL)tile->mean[d];
        inv_std[d] = (REAL)tile->inv_std[d];
        slope[d] = (REAL)slopes[d];
        gamma[d] = tile->gamma[d];
    }
    typed(split_up)(width, shifted, &shift);
    size_t n = 0;
    for (; tile->past_caches && n < tile->in.N; n++)
        typed(gradient_past)(tile, n, mean, &shift, inv_std, slope, gamma);
    for (; n + GRADIENTS_ABREAST <= tile->in.N; n += GRADIENTS_ABREAST)
        typed(gradient_rows)(tile, n, GRADIENTS_ABREAST, mean, &shift, inv_std, slope, gamma);
    for (; n < tile->in.N; n++)
        typed(gradient_rows)(tile, n, 1, mean, &shift, inv_std, slope, gamma);
    end_stores(tile->past_caches);
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

/* Σ dout and Σ dout · xhat of column d, with all of its rows. */
static void typed(sum_far)(const typed(tile) * tile, size_t d, long double sum[2]) {
    sum[0] = sum[1] = 0;
    for (size_t n = 0; n < tile->in.N; n++) {
        long double dout = tile->in.dout[n * tile->in.D + d];
        sum[0] += dout;
        sum[1] += dout * typed(xhat)(tile, n, d);
    }
}

/* dbeta = Σ dout and dgamma = Σ dout · xhat */
static void typed(gradients_of_columns)(void *argument, size_t i) {
    typed(pass) *pass = argument;
    typed(tile) tile = typed(columns_of)(pass, i);
    tile_sums sums = typed(sums_of)(pass, &tile);
    REAL *dgamma = (REAL *)pass->call->outputs[DGAMMA].data + tile.first;
    REAL *dbeta = (REAL *)pass->call->outputs[DBETA].data + tile.first;
    double *shift = sums.u, *slope = sums.v;
    merge_products(&pass->tiling, &sums, tile.in.width);
    for (size_t d = 0; d < tile.in.width; d++) {
        long double sum[2] = {shift[d], (slope[d] - tile.rest[d] * shift[d]) * tile.inv_std[d]};
        if (!isfinite(sum[0]) || !isfinite(sum[1]))
            typed(sum_far)(&tile, d, sum);
        dbeta[d] = (REAL)sum[0];
        dgamma[d] = (REAL)sum[1];
        shift[d] = (double)(sum[0] / (long double)tile.in.N);
        slope[d] = (double)(sum[1] / (long double)tile.in.N);
    }
    typed(look_for_far)(pass, &tile);
}

static void typed(gradient_of_tile)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    typed(tile) tile = typed(tile_again)(pass, i);
    const double *shifts = pass->sums.u + tile.first, *slopes = pass->sums.v + tile.first;
    if (pass->call->cache->choice[MODE] != TRAIN) {
        typed(gradient_of_constants)(&tile);
        return;
    }
    typed(gradient)(&tile, shifts, slopes);
    if (pass->has_far)
        typed(gradient_far)(&tile, shifts, slopes);
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
