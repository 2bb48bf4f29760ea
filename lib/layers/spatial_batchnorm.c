/* spatial_batchnorm: batchnorm of each channel, over N, H and W: out = gamma_c · xhat + beta_c with
 * xhat = (x − mean) / sqrt(var + eps). Modes, running statistics and gradients are batchnorm's,
 * with N · H · W for its N.
 *
 * A channel is a run in each image. One task does all of a channel, which often stays in the caches
 * from its statistics to its use. runs.h has how. The cache shares x and gamma and adds mean and
 * 1 / sqrt(var + eps) of each channel. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "bn_param.h"
#include "call.h"
#include "kernel.h"
#include "normalised.h"

enum { X, GAMMA, BETA };    /* forward's inputs */
enum { DX, DGAMMA, DBETA }; /* backward's outputs */

extern const layers_answers spatial_batchnorm_forward_answers, spatial_batchnorm_backward_answers;

static size_t plane_of(const layers_call *call) {
    return dims_length(&call->dims, 'H') * dims_length(&call->dims, 'W');
}

static layers_code check_size(const layers_call *call, layers_error *error) {
    if (call->params[MODE].choice == TEST || dims_length(&call->dims, 'N') * plane_of(call) > 0)
        return LAYERS_OK;
    return layers_fail(error, LAYERS_INVALID_SHAPE, "x",
                       "x has no pixels (N · H · W = 0), and %s/%s divides by their number",
                       call->operation->layer, call->operation->name);
}

#define NANOSECONDS (0.6) /* an element, for one thread */
#define THIS_FILE   "layers/spatial_batchnorm.c"
#include "both_dtypes.h"

const layers_operation spatial_batchnorm_forward = {
    .layer = "spatial_batchnorm",
    .name = "forward",
    .summary = "Batch normalisation of each channel, over N, H and W.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N C H W", .summary = "N images of C channels"},
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
    .params = BN_PARAMS("C", "channel"),
    .params_back = true,
    .cache = LAYERS_CACHE_GIVEN,
    .saved = NORMALISED_SAVED("C"),
    .check = check_size,
    .run = {forward_f64, forward_f32},
    .answers = &spatial_batchnorm_forward_answers,
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
    .answers = &spatial_batchnorm_backward_answers,
};

#else /* the kernels, for REAL */

#include "runs.h"

/* The planes of channel c in a tensor of a call; without images there may be no memory. */
static typed(set) typed(channel)(const layers_call *call, const void *x, size_t c) {
    size_t plane = plane_of(call);
    return (typed(set)){.x = x ? (const REAL *)x + c * plane : NULL,
                        .runs = plane > 0 ? dims_length(&call->dims, 'N') : 0,
                        .length = plane,
                        .apart = dims_length(&call->dims, 'C') * plane};
}

static void typed(run_channels)(layers_call *call, void (*task)(void *argument, size_t i)) {
    size_t size = dims_length(&call->dims, 'N') * dims_length(&call->dims, 'C') * plane_of(call);
    layers_pool_run(call_pool(call, size, NANOSECONDS), dims_length(&call->dims, 'C'), task, call);
}

static void typed(move)(layers_value *running, size_t c, double momentum, double sample) {
    const REAL *before = running->before.data;
    REAL *after = running->tensor.data;
    after[c] = (REAL)(momentum * before[c] + (1 - momentum) * sample);
}

/* The statistics that normalise channel c; the running ones move, in train mode. */
static moments typed(statistics)(layers_call *call, const typed(set) * x, size_t c) {
    layers_value *param = call->params;
    double eps = param[EPS].number, momentum = param[MOMENTUM].number;
    if (param[MODE].choice == TEST) {
        REAL mean = ((const REAL *)param[RUNNING_MEAN].before.data)[c];
        REAL variance = ((const REAL *)param[RUNNING_VAR].before.data)[c];
        ((REAL *)param[RUNNING_MEAN].tensor.data)[c] = mean;
        ((REAL *)param[RUNNING_VAR].tensor.data)[c] = variance;
        return (moments){.mean = mean, .inv_std = 1 / sqrt(variance + eps)};
    }
    moments m = typed(set_moments)(x, eps);
    typed(move)(&param[RUNNING_MEAN], c, momentum, m.mean);
    typed(move)(&param[RUNNING_VAR], c, momentum, m.variance);
    return m;
}

static void typed(forward_channel)(void *argument, size_t c) {
    layers_call *call = argument;
    typed(set) x = typed(channel)(call, call->inputs[X].data, c);
    moments m = typed(statistics)(call, &x, c);
    typed(run) run = {.length = x.length,
                      .gamma = (const REAL *)call->inputs[GAMMA].data + c,
                      .beta = (const REAL *)call->inputs[BETA].data + c,
                      .past_caches = call->output_bytes >= STREAM_ALL_FROM};
    keep_moments(call->cache, c, &m);
    for (size_t n = 0; n < x.runs; n++) {
        run.x = x.x + n * x.apart;
        run.out = (REAL *)call->outputs[0].data + c * x.length + n * x.apart;
        typed(normalise)(&run, &m);
    }
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    typed(run_channels)(call, typed(forward_channel));
    return LAYERS_OK;
}

/* The same in long double, where numbers are near the ends of double's range. */
static run_sums typed(far_products)(const typed(set) * x, const typed(set) * dout,
                                    const moments *m) {
    long double u = 0, v = 0;
    for (size_t n = 0; n < x->runs; n++)
        for (size_t i = n * x->apart; i < n * x->apart + x->length; i++) {
            u += dout->x[i];
            v += dout->x[i] * typed(xhat)(m, x->x[i]);
        }
    return (run_sums){(double)u, (double)v};
}

/* Σdout and Σdout · xhat of a channel. */
static run_sums typed(channel_products)(const typed(set) * x, const typed(set) * dout,
                                        const moments *m) {
    running_sums running = {0};
    for (size_t n = 0; n < x->runs; n++) {
        run_sums run =
            typed(run_products)(x->x + n * x->apart, dout->x + n * x->apart, x->length, m->mean);
        add_piece_sums(&running, &run);
    }
    run_sums sums = whole_sums(&running);
    sums.v = (sums.v - m->rest * sums.u) * m->inv_std;
    return isfinite(sums.u) && isfinite(sums.v) ? sums : typed(far_products)(x, dout, m);
}

/* dx = gamma · inv_std · dout, where the statistics were constants. */
KERNEL void typed(scale_run)(const REAL *restrict dout, REAL *restrict dx, size_t length,
                             double scale) {
    for (size_t i = 0; i < length; i++)
        dx[i] = (REAL)(scale * dout[i]);
}

static void typed(backward_channel)(void *argument, size_t c) {
    layers_call *call = argument;
    const layers_cache *cache = call->cache;
    typed(set) x = typed(channel)(call, cache->saved[SAVED_X].data, c);
    typed(set) dout = typed(channel)(call, call->inputs[0].data, c);
    moments m = kept_moments(cache, c);
    run_sums sums = typed(channel_products)(&x, &dout, &m);
    const REAL one = 1, gamma = ((const REAL *)cache->saved[SAVED_GAMMA].data)[c];
    double size = (double)(x.runs * x.length);
    typed(run_gradient) run = {.gamma = &one,
                               .scale = gamma,
                               .length = x.length,
                               .shift = sums.u / size,
                               .slope = sums.v / size,
                               .past_caches = call->output_bytes >= STREAM_ALL_FROM};
    ((REAL *)call->outputs[DGAMMA].data)[c] = (REAL)sums.v;
    ((REAL *)call->outputs[DBETA].data)[c] = (REAL)sums.u;
    for (size_t n = 0; n < x.runs; n++) {
        run.x = x.x + n * x.apart;
        run.dout = dout.x + n * x.apart;
        run.dx = (REAL *)call->outputs[DX].data + c * x.length + n * x.apart;
        if (cache->choice[MODE] == TRAIN)
            typed(gradient)(&run, &m);
        else
            typed(scale_run)(run.dout, run.dx, run.length, gamma * m.inv_std);
    }
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    typed(run_channels)(call, typed(backward_channel));
    return LAYERS_OK;
}

#endif
