/* spatial_groupnorm: out = gamma_c · xhat + beta_c with xhat = (x − mean) / sqrt(var + eps), where
 * mean and uncorrected variance are those of an example's group of C / groups neighbouring
 * channels, over these, H and W.
 *
 * Backward (Wu and He, "Group Normalization", 2018): of m numbers in a group, with g = gamma · dout
 *     dgamma_c = Σ_nhw dout · xhat      dbeta_c = Σ_nhw dout
 *     dx = (g − Σ g / m − xhat · Σ g · xhat / m) / sqrt(var + eps)
 *
 * A group lies in one run, and is read from memory once: while it is in the caches its statistics
 * are computed and used. runs.h has how. The cache shares x and gamma and adds mean and 1 /
 * sqrt(var + eps) of each group. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "kernel.h"
#include "normalised.h"

enum { X, GAMMA, BETA };    /* forward's inputs */
enum { GROUPS, EPS };       /* gn_param */
enum { DX, DGAMMA, DBETA }; /* backward's outputs */

extern const layers_answers spatial_groupnorm_forward_answers, spatial_groupnorm_backward_answers;

static layers_code check_groups(const layers_call *call, layers_error *error) {
    double groups = call->params[GROUPS].number, C = (double)dims_length(&call->dims, 'C');
    if (fmod(C, groups) == 0 && (groups <= C || groups == 1)) /* any number divides 0 */
        return LAYERS_OK;
    return layers_fail(error, LAYERS_INVALID_PARAM, "gn_param/groups",
                       "/gn_param/groups is %.17g, but must divide the number of channels, %.17g",
                       groups, C);
}

static size_t groups_of(const layers_call *call) {
    return (size_t)call->params[GROUPS].number;
}

static const layers_derived derived[] = {{'G', groups_of, "groups"}, {0}};

/* The groups of all examples, one after the other, and so their planes. */
typedef struct {
    layers_call *call;
    size_t groups;
    size_t channels; /* of a group, */
    size_t C;        /* and of an example */
    size_t plane;    /* elements */
    size_t together; /* groups that one task takes */
    run_sums *sums;  /* backward's, of each plane: Σdout and Σdout · xhat */
} pass;

static pass pass_of(layers_call *call) {
    const layers_dims *dims = &call->dims;
    size_t G = dims_length(dims, 'G');
    pass pass = {.call = call,
                 .groups = dims_length(dims, 'N') * G,
                 .channels = dims_length(dims, 'C') / G,
                 .C = dims_length(dims, 'C'),
                 .plane = dims_length(dims, 'H') * dims_length(dims, 'W')};
    if (pass.plane == 0) /* however many there are, nothing is in them */
        pass.groups = 0;
    pass.together = PIECE / (pass.channels * pass.plane + 1) + 1;
    return pass;
}

#define NANOSECONDS (0.6) /* an element, for one thread */
#define THIS_FILE   "layers/spatial_groupnorm.c"
#include "both_dtypes.h"

const layers_operation spatial_groupnorm_forward = {
    .layer = "spatial_groupnorm",
    .name = "forward",
    .summary =
        "Group normalisation: each group of an example's channels by its own mean and variance.",
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
    .params_name = "gn_param",
    .params =
        (const layers_param[]){
            {
                .name = "groups",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "into which the channels are cut; divides C",
            },
            EPS_PARAM,
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved = NORMALISED_SAVED("N G"),
    .check = check_groups,
    .derived = derived,
    .run = {forward_f64, forward_f32},
    .answers = &spatial_groupnorm_forward_answers,
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
    .answers = &spatial_groupnorm_backward_answers,
};

#else /* the kernels, for REAL */

#include "runs.h"

static void typed(run_groups)(pass *pass, void (*task)(void *argument, size_t i)) {
    size_t size = pass->groups * pass->channels * pass->plane;
    layers_pool_run(call_pool(pass->call, size, NANOSECONDS),
                    (pass->groups + pass->together - 1) / pass->together, task, pass);
}

static void typed(forward_group)(const pass *pass, size_t g) {
    layers_call *call = pass->call;
    const typed(set)
        set = {.runs = 1,
               .length = pass->channels * pass->plane,
               .x = (const REAL *)call->inputs[X].data + g * pass->channels * pass->plane};
    if (set.length == 0)
        return;
    moments m = typed(set_moments)(&set, call->params[EPS].number);
    keep_moments(call->cache, g, &m);
    for (size_t k = 0; k < pass->channels; k++) {
        size_t p = g * pass->channels + k, c = p % pass->C;
        const typed(run) plane = {.x = set.x + k * pass->plane,
                                  .out = (REAL *)call->outputs[0].data + p * pass->plane,
                                  .length = pass->plane,
                                  .gamma = (const REAL *)call->inputs[GAMMA].data + c,
                                  .beta = (const REAL *)call->inputs[BETA].data + c,
                                  .past_caches = call->output_bytes >= STREAM_ALL_FROM};
        typed(normalise)(&plane, &m);
    }
}

static void typed(forward_groups)(void *argument, size_t i) {
    const pass *pass = argument;
    for (size_t g = i * pass->together; g < at_most((i + 1) * pass->together, pass->groups); g++)
        typed(forward_group)(pass, g);
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    pass pass = pass_of(call);
    typed(run_groups)(&pass, typed(forward_groups));
    return LAYERS_OK;
}

/* Σdout and Σdout · xhat of each plane of a group, and of all of them with their gammas. */
static run_sums typed(sum_group)(const pass *pass, size_t g, const moments *m) {
    const layers_cache *cache = pass->call->cache;
    const REAL *gamma = cache->saved[SAVED_GAMMA].data, *dout = pass->call->inputs[0].data;
    const REAL *x = cache->saved[SAVED_X].data;
    run_sums all = {0};
    for (size_t p = g * pass->channels; p < (g + 1) * pass->channels; p++) {
        run_sums sums =
            typed(run_products)(x + p * pass->plane, dout + p * pass->plane, pass->plane, m->mean);
        sums.v = (sums.v - m->rest * sums.u) * m->inv_std;
        pass->sums[p] = sums;
        all.u += gamma[p % pass->C] * sums.u;
        all.v += gamma[p % pass->C] * sums.v;
    }
    return all;
}

/* dx = (dout − shift / gamma − xhat · slope / gamma) · inv_std · gamma loses the fewest digits;
 * where gamma is 0, or so small that the quotients are large, (gamma · dout − shift − xhat · slope)
 * · inv_std.
 */
static void typed(backward_plane)(const pass *pass, size_t p, const moments *m, double shift,
                                  double slope) {
    layers_call *call = pass->call;
    const REAL one = 1, *gamma = (const REAL *)call->cache->saved[SAVED_GAMMA].data + p % pass->C;
    typed(run_gradient)
        run = {.x = (const REAL *)call->cache->saved[SAVED_X].data + p * pass->plane,
               .dout = (const REAL *)call->inputs[0].data + p * pass->plane,
               .dx = (REAL *)call->outputs[DX].data + p * pass->plane,
               .length = pass->plane,
               .past_caches = call->output_bytes >= STREAM_ALL_FROM,
               .gamma = gamma,
               .scale = 1,
               .shift = shift,
               .slope = slope};
    double least = 0x1p-60 * (fabs(shift) + fabs(slope));
    if (fabs((double)*gamma) > least) {
        run.gamma = &one;
        run.scale = *gamma;
        run.shift /= *gamma;
        run.slope /= *gamma;
    }
    typed(gradient)(&run, m);
}

static void typed(backward_group)(const pass *pass, size_t g) {
    moments m = kept_moments(pass->call->cache, g);
    run_sums all = typed(sum_group)(pass, g, &m);
    double size = (double)(pass->channels * pass->plane);
    for (size_t p = g * pass->channels; p < (g + 1) * pass->channels; p++)
        typed(backward_plane)(pass, p, &m, all.u / size, all.v / size);
}

static void typed(backward_groups)(void *argument, size_t i) {
    const pass *pass = argument;
    for (size_t g = i * pass->together; g < at_most((i + 1) * pass->together, pass->groups); g++)
        if (pass->plane > 0)
            typed(backward_group)(pass, g);
        else
            memset(pass->sums + g * pass->channels, 0, pass->channels * sizeof *pass->sums);
}

static void typed(add_planes)(const pass *pass) {
    REAL *dgamma = pass->call->outputs[DGAMMA].data, *dbeta = pass->call->outputs[DBETA].data;
    size_t planes = pass->groups * pass->channels;
    for (size_t c = 0; c < pass->C; c++) {
        double g = 0, b = 0;
        for (size_t p = c; p < planes; p += pass->C) {
            b += pass->sums[p].u;
            g += pass->sums[p].v;
        }
        dgamma[c] = (REAL)g;
        dbeta[c] = (REAL)b;
    }
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    pass pass = pass_of(call);
    size_t planes = pass.groups * pass.channels;
    layers_tensor sums;
    layers_code code = layers_tensor_make(&sums, LAYERS_F64, (size_t[]){planes, 2}, 2, error);
    if (code != LAYERS_OK)
        return code;
    pass.sums = sums.data;
    typed(run_groups)(&pass, typed(backward_groups));
    typed(add_planes)(&pass);
    layers_tensor_clear(&sums);
    return LAYERS_OK;
}

#endif
