/* spatial_groupnorm: as layernorm, of each example's groups of C / groups channels. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "call.h"

enum { X, GAMMA, BETA }; /* inputs */
enum { SAVED_X, SAVED_GAMMA, MEAN, REST, INV_STD };

enum { GROUPS, EPS };
#define EPS_OF(call)           (call)->params[EPS].number
#define BATCH_STATISTICS(call) true
static layers_code check_groups(const layers_call *call, layers_error *error) {
    double groups = call->params[GROUPS].number, C = (double)dims_length(&call->dims, 'C');
    if (fmod(C, groups) == 0)
        return LAYERS_OK;
    return layers_fail(error, LAYERS_INVALID_PARAM, "gn_param/groups",
                       "/gn_param/groups is %.17g, but must divide C = %.17g", groups, C);
}
static size_t groups_of(const layers_call *call) {
    return (size_t)call->params[GROUPS].number;
}
static const layers_derived derived[] = {{'G', groups_of, "groups"}, {0}};
static size_t plane(const layers_call *call) {
    return dims_length(&call->dims, 'H') * dims_length(&call->dims, 'W');
}
static void sizes(const layers_call *call, size_t *sets, size_t *size) {
    *sets = dims_length(&call->dims, 'N') * dims_length(&call->dims, 'G');
    *size = dims_length(&call->dims, 'C') / dims_length(&call->dims, 'G') * plane(call);
}
static size_t place(const layers_call *call, size_t s, size_t i) {
    return s * (dims_length(&call->dims, 'C') / dims_length(&call->dims, 'G') * plane(call)) + i;
}
static size_t channel(const layers_call *call, size_t s, size_t i) {
    return place(call, s, i) / plane(call) % dims_length(&call->dims, 'C');
}

#define THIS_FILE "layers/spatial_groupnorm.c"
#include "both_dtypes.h"

const layers_operation spatial_groupnorm_forward = {
    .layer = "spatial_groupnorm",
    .name = "forward",
    .summary =
        "Group normalisation: each group of an example's channels by its own mean and variance.",
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
    .params_name = "gn_param",
    .params =
        (const layers_param[]){
            {
                .name = "groups",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "of channels that are normalised together; divides C",
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
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved =
        (const layers_saved[]){[SAVED_X] = {.name = "x"},
                               [SAVED_GAMMA] = {.name = "gamma"},
                               [MEAN] = {.name = "mean", .shape = "N G", .dtype = LAYERS_F64},
                               [REST] = {.name = "rest", .shape = "N G", .dtype = LAYERS_F64},
                               [INV_STD] = {.name = "inv_std", .shape = "N G", .dtype = LAYERS_F64},
                               {0}},
    .check = check_groups,
    .derived = derived,
    .run = {forward_f64, forward_f32},
};

const layers_operation spatial_groupnorm_backward = {
    .layer = "spatial_groupnorm",
    .name = "backward",
    .summary = "Gradients of spatial_groupnorm/forward.",
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
