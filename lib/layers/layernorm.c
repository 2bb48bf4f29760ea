/* layernorm: out = gamma · xhat + beta with xhat = (x − mean) / sqrt(var + eps), where mean and
 * uncorrected variance are each row's own.
 *
 * Backward (Ba, Kiros and Hinton, "Layer Normalization", 2016; as in batchnorm, with rows for
 * columns): with g = gamma · dout
 *     dgamma = Σ_n dout · xhat      dbeta = Σ_n dout
 *     dx = (g − Σ_d g / D − xhat · Σ_d g · xhat / D) / sqrt(var + eps)
 *
 * A row is read from memory once: while it is in the first-level cache its statistics are computed
 * and used. runs.h has how. The cache shares x and gamma and adds mean and 1 / sqrt(var + eps) of
 * each row. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "kernel.h"
#include "normalised.h"

enum { X, GAMMA, BETA };    /* forward's inputs */
enum { EPS };               /* ln_param */
enum { DX, DGAMMA, DBETA }; /* backward's outputs */

extern const layers_answers layernorm_forward_answers, layernorm_backward_answers;

/* Backward's rows are cut into so many blocks at most, of so many rows at least, each with sums of
 * its own for dgamma and dbeta. */
enum { BLOCKS = 16, BLOCK_ROWS = 16 };

#define NANOSECONDS (0.6) /* an element, for one thread */
#define THIS_FILE   "layers/layernorm.c"
#include "both_dtypes.h"

const layers_operation layernorm_forward = {
    .layer = "layernorm",
    .name = "forward",
    .summary = "Layer normalisation: each row by its own mean and variance.",
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
    .params_name = "ln_param",
    .params =
        (const layers_param[]){
            EPS_PARAM,
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved = NORMALISED_SAVED("N"),
    .run = {forward_f64, forward_f32},
    .answers = &layernorm_forward_answers,
};

const layers_operation layernorm_backward = {
    .layer = "layernorm",
    .name = "backward",
    .summary = "Gradients of layernorm/forward.",
    .inputs =
        (const layers_field[]){
            {.name = "dout", .shape = "N D", .summary = "gradient of out"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "dx", .shape = "N D", .summary = "gradient of x"},
            {.name = "dgamma", .shape = "D", .summary = "gradient of gamma"},
            {.name = "dbeta", .shape = "D", .summary = "gradient of beta"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
    .answers = &layernorm_backward_answers,
};

#else /* the kernels, for REAL */

#include "runs.h"

/* Some rows of a call, one piece after the other. */
typedef struct {
    layers_call *call;
    size_t N, D, rows; /* rows of a piece */
    double *sums;      /* backward's, of each block: dgamma and dbeta */
} typed(pass);

static void typed(forward_rows)(void *argument, size_t piece) {
    const typed(pass) *pass = argument;
    layers_call *call = pass->call;
    size_t end = at_most((piece + 1) * pass->rows, pass->N);
    for (size_t n = piece * pass->rows; n < end; n++) {
        typed(run) row = {.x = (const REAL *)call->inputs[X].data + n * pass->D,
                          .out = (REAL *)call->outputs[0].data + n * pass->D,
                          .length = pass->D,
                          .each = 1,
                          .gamma = call->inputs[GAMMA].data,
                          .beta = call->inputs[BETA].data,
                          .past_caches = call->output_bytes >= STREAM_ALL_FROM};
        const typed(set) set = {row.x, 1, pass->D, 0};
        moments m = typed(set_moments)(&set, call->params[EPS].number);
        keep_moments(call->cache, n, &m);
        typed(normalise)(&row, &m);
    }
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    typed(pass) pass = {.call = call, .N = N, .D = D, .rows = D < PIECE ? PIECE / (D + 1) + 1 : 1};
    size_t tasks = D ? (N + pass.rows - 1) / pass.rows : 0; /* none for rows of nothing */
    layers_pool_run(call_pool(call, N * D, NANOSECONDS), tasks, typed(forward_rows), &pass);
    return LAYERS_OK;
}

/* Rows that are summed together, so that dgamma and dbeta are loaded and stored once for all. */
#define ABREAST 4

/* What four elements of a row add: g and g · xhat to the row's sums, dout · xhat to dgamma, dout to
 * dbeta. g is rounded as it is where its mean is subtracted: a row of one number has dx = 0. */
INLINED void typed(add_gradients)(const typed(run_gradient) * row, size_t d, const moments *m,
                                  doubles sums[2], doubles *dgamma, doubles *dbeta) {
    const REAL *up = row->dout + d, *gamma = row->gamma + d;
    doubles xhat, dout,
        g = {up[0] * gamma[0], up[1] * gamma[1], up[2] * gamma[2], up[3] * gamma[3]};
    typed(load)(row->x + d, &xhat);
    typed(load)(up, &dout);
    xhat -= m->mean;
    if (sizeof(REAL) == 8)
        xhat -= m->rest;
    xhat *= m->inv_std;
    sums[0] += g;
    sums[1] += g * xhat;
    *dgamma += dout * xhat;
    *dbeta += dout;
}

/* The elements from d to `end` of the rows. Their sums stay in registers; the rows after these are
 * asked for, into the second cache: these fill the first. */
INLINED void typed(add_piece)(const typed(run_gradient) * row, const moments *m, size_t rows,
                              size_t d, size_t end, double *dgamma, double *dbeta,
                              running_sums *running) {
    size_t D = row->length;
    doubles sums[ABREAST][2] = {{{0}}};
    for (; d < end; d += 4) {
        doubles g = *(const doubles *)(dgamma + d), b = *(const doubles *)(dbeta + d);
#pragma GCC unroll 4
        for (size_t i = 0; i < rows; i++) {
            if (d % (64 / sizeof(REAL)) == 0) {
                __builtin_prefetch(row[i].x + rows * D + d, 0, 2);
                __builtin_prefetch(row[i].dout + rows * D + d, 0, 2);
            }
            typed(add_gradients)(&row[i], d, &m[i], sums[i], &g, &b);
        }
        *(doubles *)(dgamma + d) = g;
        *(doubles *)(dbeta + d) = b;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < rows; i++)
        add_piece_sums(&running[i], &(run_sums){sum_of(&sums[i][0]), sum_of(&sums[i][1])});
}

/* Σg and Σg · xhat of 1 row or ABREAST, one behind the other, and their part of dgamma and dbeta.
 */
INLINED void typed(add_rows)(const typed(run_gradient) * first, const moments *m, size_t rows,
                             double *dgamma, double *dbeta, run_sums *to) {
    size_t D = first->length, d = 0;
    typed(run_gradient) row[ABREAST];
    running_sums running[ABREAST];
    memset(running, 0, sizeof running);
    for (size_t i = 0; i < rows; i++) {
        row[i] = *first;
        row[i].x += i * D;
        row[i].dout += i * D;
    }
    for (size_t end; d + 4 <= D; d = end) {
        end = at_most(D / 4 * 4, d + RUN_PIECE);
        typed(add_piece)(row, m, rows, d, end, dgamma, dbeta, running);
    }
    for (size_t i = 0; i < rows; i++) {
        to[i] = whole_sums(&running[i]);
        for (size_t e = d; e < D; e++) {
            double dout = row[i].dout[e], g = row[i].dout[e] * row[i].gamma[e];
            double xhat = ((row[i].x[e] - m[i].mean) - m[i].rest) * m[i].inv_std;
            to[i].u += g;
            to[i].v += g * xhat;
            dgamma[e] += dout * xhat;
            dbeta[e] += dout;
        }
    }
}

KERNEL void typed(add_row)(const typed(run_gradient) * row, const moments *m, double *dgamma,
                           double *dbeta, run_sums *to) {
    typed(add_rows)(row, m, 1, dgamma, dbeta, to);
}

KERNEL void typed(add_abreast)(const typed(run_gradient) * row, const moments *m, double *dgamma,
                               double *dbeta, run_sums *to) {
    typed(add_rows)(row, m, ABREAST, dgamma, dbeta, to);
}

static void typed(backward_rows)(void *argument, size_t block) {
    const typed(pass) *pass = argument;
    layers_call *call = pass->call;
    const layers_cache *cache = call->cache;
    size_t D = pass->D, end = at_most((block + 1) * pass->rows, pass->N), rows;
    double *dgamma = pass->sums + 2 * block * D, *dbeta = dgamma + D;
    memset(dgamma, 0, 2 * D * sizeof *dgamma);
    for (size_t n = block * pass->rows; n < end; n += rows) {
        typed(run_gradient) row = {.x = (const REAL *)cache->saved[SAVED_X].data + n * D,
                                   .dout = (const REAL *)call->inputs[0].data + n * D,
                                   .gamma = cache->saved[SAVED_GAMMA].data,
                                   .dx = (REAL *)call->outputs[DX].data + n * D,
                                   .scale = 1,
                                   .length = D,
                                   .each = 1,
                                   .past_caches = call->output_bytes >= STREAM_ALL_FROM};
        moments m[ABREAST];
        run_sums sums[ABREAST] = {{0}};
        rows = n + ABREAST <= end ? ABREAST : 1;
        for (size_t i = 0; i < rows; i++)
            m[i] = kept_moments(cache, n + i);
        (rows == 1 ? typed(add_row) : typed(add_abreast))(&row, m, dgamma, dbeta, sums);
        for (size_t i = 0; i < rows; i++, row.x += D, row.dout += D, row.dx += D) {
            row.shift = sums[i].u / (double)D;
            row.slope = sums[i].v / (double)D;
            typed(gradient)(&row, &m[i]);
        }
    }
}

/* dgamma and dbeta from those of the blocks, of some columns. */
static void typed(add_blocks)(void *argument, size_t piece) {
    const typed(pass) *pass = argument;
    size_t D = pass->D, blocks = (pass->N + pass->rows - 1) / pass->rows;
    REAL *dgamma = pass->call->outputs[DGAMMA].data, *dbeta = pass->call->outputs[DBETA].data;
    for (size_t d = piece * PIECE; d < at_most(D, (piece + 1) * PIECE); d++) {
        double g = 0, b = 0;
        for (size_t i = 0; i < blocks; i++) {
            g += pass->sums[2 * i * D + d];
            b += pass->sums[(2 * i + 1) * D + d];
        }
        dgamma[d] = (REAL)g;
        dbeta[d] = (REAL)b;
    }
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    size_t N = dims_length(&call->dims, 'N'), D = dims_length(&call->dims, 'D');
    size_t blocks = at_most(BLOCKS, (N + BLOCK_ROWS - 1) / BLOCK_ROWS);
    typed(pass) pass = {.call = call, .N = N, .D = D, .rows = N ? (N + blocks - 1) / blocks : 1};
    layers_tensor sums;
    layers_code code = layers_tensor_make(&sums, LAYERS_F64, (size_t[]){2 * blocks, D}, 2, error);
    if (code != LAYERS_OK)
        return code;
    pass.sums = sums.data;
    layers_pool *pool = call_pool(call, N * D, 2 * NANOSECONDS);
    layers_pool_run(pool, D ? (N + pass.rows - 1) / pass.rows : 0, typed(backward_rows), &pass);
    layers_pool_run(pool, pieces(D), typed(add_blocks), &pass);
    layers_tensor_clear(&sums);
    return LAYERS_OK;
}

#endif
