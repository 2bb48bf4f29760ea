/* dropout, inverted: in train mode mask = rand(shape of x) < p, or is the caller's, and out = x ·
 * mask / p, where p is the probability of keeping an element; in test mode out = x.
 *
 * Backward: dx = dout · mask / p, or dout. mask / p is taken first, and in double, as the course's
 * listing has it: float64 results are NumPy's to the last bit, and nothing is divided. Only where
 * 1 / p is infinite, for p below 6e-309, x is divided by p: NumPy's would be infinite, or NaN for
 * an x of 0. float32 results are those of double, rounded. `rand` is NumPy's legacy generator
 * (layers/random.h). As the formula has it, an infinity or NaN times a mask of 0 is NaN. The cache
 * is the mask, one bit an element, and p. */
#ifndef REAL
#include <math.h>
#include <string.h>

#include "bits.h"
#include "blocks.h"
#include "call.h"
#include "kernel.h"
#include "layers/random.h"
#include "mask.h"
#include "stream.h"

extern const layers_answers dropout_forward_answers, dropout_backward_answers;

enum { P, MODE, SEED, MASK }; /* dropout_param, in the order of the table */
enum { TRAIN, TEST };

/* The mask of a seed, which is drawn where there is none. */
static void draw(layers_call *call) {
    layers_value *seed = &call->params[SEED];
    layers_random random;
    if (!seed->given)
        *seed = (layers_value){.given = true, .number = layers_random_draw_seed()};
    layers_random_seed(&random, (uint32_t)seed->number);
    layers_random_mask(&random, call->params[P].number, call->inputs[0].size,
                       call->cache->saved[0].data);
}

#define NANOSECONDS (sizeof(REAL) / 32.0) /* an element, for one thread */
#define THIS_FILE   "layers/dropout.c"
#include "both_dtypes.h"

const layers_operation dropout_forward = {
    .layer = "dropout",
    .name = "forward",
    .summary = "Inverted dropout: out = x · mask / p, with mask = rand(shape of x) < p.",
    .inputs = (const layers_field[]){{.name = "x", .shape = "...", .summary = "any tensor"}, {0}},
    .outputs =
        (const layers_field[]){{.name = "out", .shape = "...", .summary = "x · mask / p"}, {0}},
    .params_name = "dropout_param",
    .params_back = true,
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
            {
                .name = "mask",
                .kind = LAYERS_MASK,
                .shape = "...",
                .instead_of = "seed",
                .summary = "zeros and ones like x, used as they are in train mode; not given back",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved = (const layers_saved[]){{.name = "mask", .shape = "...", .dtype = LAYERS_BIT}, {0}},
    .run = {forward_f64, forward_f32},
    .answers = &dropout_forward_answers,
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
    .answers = &dropout_backward_answers,
};

#else /* the kernels, for REAL */

#include "lanes.h"

/* One pass: out = in · mask / p, or in. */
typedef struct {
    size_t size;
    int mode;
    double p, inverse;
    bool divides; /* where 1 / p is infinite, in / p need not be */
    bool past_caches;
    const layers_tensor *given; /* the caller's mask, which becomes `mask` on the way, or NULL */
    uint8_t *mask;
    const REAL *in;
    REAL *out;
} typed(pass);

INLINED REAL typed(scaled)(const typed(pass) * pass, REAL in) {
    return (REAL)(pass->divides ? in / pass->p : in * pass->inverse);
}

/* Elements from `first`, a multiple of WORD_BITS, to `end`: in · 0 where the mask is 0. */
KERNEL void typed(drop)(const typed(pass) * pass, size_t first, size_t end) {
    const typed(pass) all = *pass;
    const REAL *in = all.in;
    size_t j = first;
    for (; j + WORD_BITS <= end; j += WORD_BITS) {
        typed(bits) word, bit = {0};
        REAL scaled[WORD_BITS];
        if (all.past_caches)
            fetch_ahead(in + j, sizeof scaled, in + all.size);
        for (size_t i = 0; i < WORD_BITS; i++)
            scaled[i] = typed(scaled)(&all, in[j + i]);
        typed(spread)(all.mask + j / 8, &word);
        typed(first_bits)(&bit);
        for (size_t i = 0; i < WORD_BITS; i += LANES_IN, bit <<= LANES_IN) {
            typed(bits) kept = (typed(bits))((word & bit) == bit);
            typed(bits) dropped = (typed(bits))(*(const typed(lanes) *)(in + j + i) * 0);
            typed(bits) both = (kept & *(const typed(bits) *)(scaled + i)) | (~kept & dropped);
            store_32(all.out + j + i, &both, all.past_caches);
        }
    }
    for (size_t i = j; i < end; i++)
        all.out[i] = all.mask[i / 8] >> i % 8 & 1 ? typed(scaled)(&all, in[i]) : in[i] * 0;
    end_stores(all.past_caches);
}

static void typed(pass_piece)(void *argument, size_t i) {
    const typed(pass) *pass = argument;
    size_t first = i * PIECE, count = at_most(PIECE, pass->size - first);
    if (pass->given)
        mask_pack(pass->given, first, count, pass->mask + first / 8);
    if (pass->mode == TEST)
        memcpy(pass->out + first, pass->in + first, count * sizeof(REAL));
    else
        typed(drop)(pass, first, first + count);
}

static void typed(run_pass)(layers_call *call, int mode, double p, const layers_tensor *given) {
    typed(pass) pass = {
        .size = call->inputs[0].size,
        .mode = mode,
        .p = p,
        .inverse = 1 / p,
        .divides = isinf(1 / p),
        .past_caches = call->output_bytes >= STREAM_FROM,
        .given = given,
        .mask = call->cache->saved[0].data,
        .in = call->inputs[0].data,
        .out = call->outputs[0].data,
    };
    layers_pool_run(call_pool(call, pass.size, NANOSECONDS), pieces(pass.size), typed(pass_piece),
                    &pass);
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    const layers_value *mask = &call->params[MASK];
    int mode = call->params[MODE].choice;
    if (mode == TEST)
        memset(call->cache->saved[0].data, 0xff, bits_bytes(call->inputs[0].size));
    else if (!mask->given)
        draw(call);
    typed(run_pass)(call, mode, call->params[P].number,
                    mode == TRAIN && mask->given ? &mask->tensor : NULL);
    return LAYERS_OK;
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    typed(run_pass)(call, call->cache->choice[MODE], call->cache->number[P], NULL);
    return LAYERS_OK;
}

#endif
