/* dropout, inverted: in train mode mask = rand(shape of x) < p and out = x · mask / p, where p is
 * the probability of keeping an element; in test mode out = x.
 *
 * Backward: dx = dout · mask / p, or dout. `rand` is NumPy's legacy generator (layers/random.h). As
 * the formula has it, an infinity or NaN times a mask of 0 is NaN. The cache is the mask, one bit
 * an element, and p. */
#ifndef REAL
#include <string.h>

#include "bits.h"
#include "blocks.h"
#include "call.h"
#include "kernel.h"
#include "layers/random.h"

enum { P, MODE, SEED }; /* dropout_param, in the order of the table */
enum { TRAIN, TEST };

#define THIS_FILE "layers/dropout.c"
#include "both_dtypes.h"

const layers_operation dropout_forward = {
    .layer = "dropout",
    .name = "forward",
    .summary = "Inverted dropout: out = x · mask / p, with mask = rand(shape of x) < p.",
    .inputs = (const layers_field[]){{.name = "x", .shape = "...", .summary = "any tensor"}, {0}},
    .outputs =
        (const layers_field[]){{.name = "out", .shape = "...", .summary = "x · mask / p"}, {0}},
    .params_name = "dropout_param",
    .params =
        (const layers_param[]){
            {
                .name = "p",
                .kind = LAYERS_NUMBER,
                .required = true,
                .minimum = 0,
                .open_minimum = true,
                .maximum = 1,
                .summary = "the probability of keeping an element",
            },
            {
                .name = "mode",
                .kind = LAYERS_CHOICE,
                .required = true,
                .choices = {[TRAIN] = "train", [TEST] = "test"},
                .summary = "\"train\" drops, \"test\" passes x through",
            },
            {
                .name = "seed",
                .kind = LAYERS_INTEGER,
                .minimum = 0,
                .maximum = UINT32_MAX,
                .summary = "of numpy.random.seed; drawn and given back where absent in train mode",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved = (const layers_saved[]){{.name = "mask", .shape = "...", .dtype = LAYERS_BIT}, {0}},
    .run = {forward_f64, forward_f32},
};

const layers_operation dropout_backward = {
    .layer = "dropout",
    .name = "backward",
    .summary = "Gradient of dropout/forward: dx = dout · mask / p.",
    .inputs =
        (const layers_field[]){{.name = "dout", .shape = "...", .summary = "gradient of out"}, {0}},
    .outputs =
        (const layers_field[]){{.name = "dx", .shape = "...", .summary = "gradient of x"}, {0}},
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
};

#else /* the kernels, for REAL */

/* out = in · kept / p; in double, where a tiny p is not 0. */
KERNEL void typed(drop)(size_t size, double p, const uint8_t *kept, const REAL *in, REAL *out) {
    for (size_t i = 0; i < size; i++)
        out[i] = (REAL)((double)in[i] * kept[i] / p);
}

/* One pass: out = in · mask / p, or in. */
typedef struct {
    size_t size;
    int mode;
    double p;
    const uint8_t *mask;
    const REAL *in;
    REAL *out;
} typed(pass);

static void typed(pass_piece)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    size_t first = i * PIECE, end = at_most(first + PIECE, pass->size);
    uint8_t flag[FLAGS];
    if (pass->mode == TEST) {
        memcpy(pass->out + first, pass->in + first, (end - first) * sizeof(REAL));
        return;
    }
    for (size_t j = first; j < end; j += FLAGS) {
        size_t count = at_most(FLAGS, end - j);
        bits_unpack(pass->mask + j / 8, count, flag);
        typed(drop)(count, pass->p, flag, pass->in + j, pass->out + j);
    }
}

static void typed(run_pass)(layers_call *call, int mode, double p) {
    typed(pass) pass = {
        .size = call->inputs[0].size,
        .mode = mode,
        .p = p,
        .mask = call->cache->saved[0].data,
        .in = call->inputs[0].data,
        .out = call->outputs[0].data,
    };
    layers_pool_run(call_pool(call, pass.size), pieces(pass.size), typed(pass_piece), &pass);
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    size_t size = call->inputs[0].size;
    uint8_t *mask = call->cache->saved[0].data;
    layers_value *seed = &call->params[SEED];
    int mode = call->params[MODE].choice;
    double p = call->params[P].number;
    if (mode == TRAIN) {
        if (!seed->given)
            *seed = (layers_value){.given = true, .number = layers_random_draw_seed()};
        layers_random random;
        layers_random_seed(&random, (uint32_t)seed->number);
        layers_random_mask(&random, p, size, mask);
    } else {
        memset(mask, 0xff, bits_bytes(size));
    }
    typed(run_pass)(call, mode, p);
    return LAYERS_OK;
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    typed(run_pass)(call, call->cache->choice[MODE], call->cache->number[P]);
    return LAYERS_OK;
}

#endif
