/* max_pool: out_ncpq = max of the window of pool_height × pool_width that starts at row p · stride
 * and column q · stride of plane x_nc. NaN is the largest; of equals, the first in row-major order.
 *
 * Backward: each window's gradient goes to where its largest was, and is added up where windows
 * overlap, in row-major order. The cache is that place's index in the window. */
#ifndef REAL
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "blocks.h"
#include "call.h"
#include "kernel.h"

extern const layers_answers max_pool_forward_answers, max_pool_backward_answers;

enum { POOL_HEIGHT, POOL_WIDTH, STRIDE }; /* pool_param */

static layers_code check_fit(const layers_call *call, int param, char letter, layers_error *error) {
    size_t length = dims_length(&call->dims, letter);
    const char *name = call->operation->params[param].name;
    if (call->params[param].number <= (double)length)
        return LAYERS_OK;
    char field[64] = "pool_param/";
    strcat(field, name);
    return layers_fail(error, LAYERS_INVALID_PARAM, field,
                       "/%s is %.17g, but must be at most %c = %zu: the window does not fit", field,
                       call->params[param].number, letter, length);
}

static layers_code check_window(const layers_call *call, layers_error *error) {
    layers_code code = check_fit(call, POOL_HEIGHT, 'H', error);
    return code == LAYERS_OK ? check_fit(call, POOL_WIDTH, 'W', error) : code;
}

static size_t windows(const layers_call *call, char letter, int param) {
    size_t length = dims_length(&call->dims, letter);
    return (length - (size_t)call->params[param].number) / (size_t)call->params[STRIDE].number + 1;
}

static size_t windows_down(const layers_call *call) {
    return windows(call, 'H', POOL_HEIGHT);
}

static size_t windows_across(const layers_call *call) {
    return windows(call, 'W', POOL_WIDTH);
}

static size_t window_rows(const layers_call *call) {
    return (size_t)call->params[POOL_HEIGHT].number;
}

static size_t window_columns(const layers_call *call) {
    return (size_t)call->params[POOL_WIDTH].number;
}

/* Of an index in a window. */
static size_t index_bytes(const layers_call *call) {
    double places = call->params[POOL_HEIGHT].number * call->params[POOL_WIDTH].number;
    return places <= 0x1p8 ? 1 : places <= 0x1p16 ? 2 : places <= 0x1p32 ? 4 : 8;
}

static const layers_derived derived[] = {
    {'P', windows_down, "⌊(H − pool_height) / stride⌋ + 1"},
    {'Q', windows_across, "⌊(W − pool_width) / stride⌋ + 1"},
    {'R', window_rows, "pool_height"},
    {'S', window_columns, "pool_width"},
    {'B', index_bytes, "bytes of an index in a window"},
    {0},
};

/* A call, and how it is cut into pieces of whole rows: of windows, or pairs of rows of dx. */
typedef struct {
    size_t H, W, P, Q, R, S, stride, B; /* R by S a window, B bytes an index */
    size_t planes, windows;
    size_t pairs, columns; /* of rows of a plane, and of columns */
    size_t rows, piece, pieces;
    bool gathers;  /* elements of dx look for their windows, instead of windows for theirs */
    void *x, *out; /* or dx and dout */
    uint8_t *index;
} pooling;

static pooling pooling_of(const layers_call *call, double stride) {
    const layers_dims *d = &call->dims;
    pooling g = {
        .H = dims_length(d, 'H'),
        .W = dims_length(d, 'W'),
        .P = dims_length(d, 'P'),
        .Q = dims_length(d, 'Q'),
        .R = dims_length(d, 'R'),
        .S = dims_length(d, 'S'),
        .B = dims_length(d, 'B'),
        .stride = (size_t)stride,
        .planes = dims_length(d, 'N') * dims_length(d, 'C'),
        .index = call->cache->saved[0].data,
    };
    g.windows = g.planes * g.P * g.Q;
    g.pairs = (g.H + 1) / 2;
    g.columns = (g.W + 1) / 2;
    g.gathers = g.stride == 2 && g.R == g.S && (g.R == 2 || g.R == 3) && g.W < INT32_MAX;
    return g;
}

/* A plane has so many rows, of so much work each; `whole` of them stay together. */
static void cut(pooling *g, size_t rows, double work, size_t whole) {
    size_t piece = (size_t)(2 * PIECE / work) + 1;
    g->rows = g->planes * rows;
    g->piece = (piece + whole - 1) / whole * whole;
    g->pieces = g->rows / g->piece + (g->rows % g->piece != 0);
}

/* Where in x a row of windows starts. */
static inline size_t row_start(const pooling *g, size_t row) {
    return (row / g->P * g->H + row % g->P * g->stride) * g->W;
}

static inline void index_put(uint8_t *to, size_t bytes, uint64_t index) {
    for (size_t i = 0; i < bytes; i++, index >>= 8)
        to[i] = (uint8_t)index;
}

static inline uint64_t index_get(const uint8_t *from, size_t bytes) {
    uint64_t index = 0;
    for (size_t i = bytes; i-- > 0;)
        index = index << 8 | from[i];
    return index;
}

/* Each index is of a place in its window: backward writes there. */
static bool indices_hold(const layers_call *call) {
    pooling g = pooling_of(call, call->params[STRIDE].number);
    uint64_t places = (uint64_t)g.R * g.S, largest = 0;
    for (size_t i = 0; i < g.windows; i++) {
        uint64_t index = index_get(g.index + i * g.B, g.B);
        largest = index > largest ? index : largest;
    }
    return g.windows == 0 || largest < places;
}

/* Of two vectors: every second element; the elements of both in turns, the first half of these and
 * the second. Of a vector, bytes 0 to 7 of which are for words: those of each word in it. */
#define EVENS_f32(a, b)  __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15)
#define EVENS_f64(a, b)  __builtin_shufflevector(a, b, 0, 2, 5, 7)
#define FOURS_f32(v)     __builtin_shufflevector(v, v, 0, 0, 0, 0, 1, 1, 1, 1)
#define FOURS_f64(v)     (v)
#define MIDDLE_f32(a, b) __builtin_shufflevector(a, b, 7, 8, 9, 10, 11, 12, 13, 14)
#define MIDDLE_f64(a, b) __builtin_shufflevector(a, b, 3, 4, 5, 6)
#define LOW_f32(a, b)    __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define LOW_f64(a, b)    __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_f32(a, b)   __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define HIGH_f64(a, b)   __builtin_shufflevector(a, b, 2, 6, 3, 7)

#define NANOSECONDS      (sizeof(REAL) / 24.0) /* a place of a window, for one thread */
#define THIS_FILE        "layers/max_pool.c"
#include "both_dtypes.h"

const layers_operation max_pool_forward = {
    .layer = "max_pool",
    .name = "forward",
    .summary = "The largest of each window.",
    .inputs =
        (const layers_field[]){
            {.name = "x", .shape = "N C H W", .summary = "N images of C channels"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "out", .shape = "N C P Q", .summary = "the largest of each window"},
            {0},
        },
    .params_name = "pool_param",
    .params =
        (const layers_param[]){
            {
                .name = "pool_height",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "rows of a window",
            },
            {
                .name = "pool_width",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "columns of a window",
            },
            {
                .name = "stride",
                .kind = LAYERS_INTEGER,
                .required = true,
                .minimum = 1,
                .maximum = 0x1p53 - 1,
                .summary = "rows and columns from one window to the next",
            },
            {0},
        },
    .cache = LAYERS_CACHE_GIVEN,
    .saved =
        (const layers_saved[]){{.name = "index", .shape = "N C P Q B", .dtype = LAYERS_U8}, {0}},
    .work = {1, "N C P Q R S"},
    .saved_holds = indices_hold,
    .check = check_window,
    .derived = derived,
    .run = {forward_f64, forward_f32},
    .answers = &max_pool_forward_answers,
};

const layers_operation max_pool_backward = {
    .layer = "max_pool",
    .name = "backward",
    .summary = "Gradient of max_pool/forward: that of each window goes to its largest.",
    .inputs =
        (const layers_field[]){
            {.name = "dout", .shape = "N C P Q", .summary = "gradient of out"},
            {0},
        },
    .outputs =
        (const layers_field[]){
            {.name = "dx", .shape = "N C H W", .summary = "gradient of x"},
            {0},
        },
    .cache = LAYERS_CACHE_TAKEN,
    .run = {backward_f64, backward_f32},
    .answers = &max_pool_backward_answers,
};

#else /* the kernels, for REAL */

#include "lanes.h"

typedef uint64_t typed(quarters) __attribute__((vector_size(32)));

/* Bytes to words and back: by __builtin_convertvector gcc has them go one by one. */
INLINED void typed(shifts)(typed(bits) * shift) {
    for (size_t l = 0; l < LANES_IN; l++)
        (*shift)[l] = 8 * (l % 4);
}

INLINED void typed(widen)(const uint8_t *from, typed(bits) * to) {
    const size_t count = LANES_IN;
    uint64_t bytes = 0;
    typed(bits) shift = {0};
    typed(shifts)(&shift);
    memcpy(&bytes, from, count);
    typed(quarters) all = bytes - (typed(quarters)){0};
    *to = typed(FOURS)((typed(bits))all) >> shift & 0xff;
}

INLINED void typed(narrow)(const typed(bits) * from, uint8_t *to) {
    const size_t count = LANES_IN;
    uint64_t part[4];
    typed(bits) shift = {0};
    typed(shifts)(&shift);
    shift = *from << shift;
    memcpy(part, &shift, sizeof part);
    uint64_t low = part[0] | part[1], high = part[2] | part[3];
    uint32_t four[2] = {(uint32_t)(low | low >> 32), (uint32_t)(high | high >> 32)};
    if (sizeof(REAL) == 8)
        four[0] |= four[1];
    memcpy(to, four, count);
}

#include "max_pool_windows.h"

#include "max_pool_gradients.h"

static void typed(forward_piece)(void *argument, size_t i) {
    const pooling *g = argument;
    size_t first = i * g->piece, end = first + at_most(g->piece, g->rows - first);
    if (g->stride <= 2 && g->Q >= LANES_IN && g->B < 8)
        typed(side_by_side)(g, first, end);
    else if (g->S >= 4 * LANES_IN || g->B == 8)
        typed(along)(g, first, end);
    else
        typed(apart)(g, first, end);
}

static layers_code typed(forward)(layers_call *call, layers_error *error) {
    (void)error;
    pooling g = pooling_of(call, call->params[STRIDE].number);
    double places = (double)g.R * (double)g.S;
    g.x = call->inputs[0].data;
    g.out = call->outputs[0].data;
    cut(&g, g.P, (double)g.Q * places, 1);
    layers_pool_run(call_pool(call, g.windows, NANOSECONDS * places), g.pieces,
                    typed(forward_piece), &g);
    return LAYERS_OK;
}

static void typed(backward_piece)(void *argument, size_t i) {
    const pooling *g = argument;
    size_t first = i * g->piece, end = first + at_most(g->piece, g->rows - first);
    if (g->gathers)
        typed(gather_pairs)(g, first, end);
    else
        typed(scatter_rows)(g, first, end);
}

static layers_code typed(backward)(layers_call *call, layers_error *error) {
    (void)error;
    pooling g = pooling_of(call, call->cache->number[STRIDE]);
    g.x = call->outputs[0].data;
    g.out = call->inputs[0].data;
    if (g.gathers)
        cut(&g, g.pairs, (double)g.W, 1);
    else
        cut(&g, g.P, (double)g.Q, g.R > g.stride ? g.P : 1);
    layers_pool_run(call_pool(call, call->outputs[0].size, NANOSECONDS), g.pieces,
                    typed(backward_piece), &g);
    return LAYERS_OK;
}

#endif
