/* A call of batchnorm as tiles of it, which threads share out: one way over them sums, and another,
 * backwards, computes what is given; between them go all rows of some columns. How tiles lie stands
 * in batchnorm_sums.h. For batchnorm.c, which both_dtypes.h includes, behind its #ifdef REAL; no
 * include guard: it is for each REAL anew. */
#include "batchnorm_sums.h"
#include "blocks.h"
#include "call.h"
#include "lanes.h"
#include "normalised.h"
#include "stream.h"

/* One way over all tiles of a call. */
typedef struct {
    layers_call *call;
    tiling tiling;
    tile_sums sums; /* backward's uppermost become Σ dout / N and Σ dout · xhat / N */
    layers_tensor memory;
    bool has_far; /* whether any column is_far */
} typed(pass);

/* A tile, and what its columns have; or some columns with all of their rows. */
typedef struct {
    typed(columns) in; /* of x, and of dout in backward */
    size_t row, first; /* of tiles; column */
    REAL *out;         /* out, or dx */
    const REAL *gamma, *beta;
    double *mean, *rest, *inv_std;
    bool past_caches; /* the results go there: whole vectors are a row */
} typed(tile);

static typed(tile) typed(columns_of)(const typed(pass) * pass, size_t i) {
    const layers_call *call = pass->call;
    const layers_cache *cache = call->cache;
    size_t D = pass->tiling.D, first = i * pass->tiling.columns;
    typed(tile) tile = {
        .in = {.N = pass->tiling.N, .D = D, .width = at_most(pass->tiling.columns, D - first)},
        .first = first,
        .out = (REAL *)call->outputs[0].data + first,
        .gamma = (const REAL *)cache->saved[SAVED_GAMMA].data + first,
        .mean = (double *)cache->saved[MEAN].data + first,
        .rest = (double *)cache->saved[REST].data + first,
        .inv_std = (double *)cache->saved[INV_STD].data + first,
        .past_caches = call->output_bytes >= STREAM_ALL_FROM && D % LANES_IN == 0,
    };
    if (tile.in.N > 0) { /* without rows there may be no memory */
        tile.in.x = (const REAL *)cache->saved[SAVED_X].data + first;
        tile.in.dout = (const REAL *)call->inputs[0].data + first;
    }
    return tile;
}

static typed(tile) typed(tile_of)(const typed(pass) * pass, size_t i) {
    size_t across = pass->tiling.across, row = i / across;
    typed(tile) tile = typed(columns_of)(pass, i % across);
    size_t offset = row * pass->tiling.rows * pass->tiling.D;
    tile.row = row;
    tile.in.N = tile_height(&pass->tiling, row);
    tile.out += offset;
    if (tile.in.N > 0) {
        tile.in.x += offset;
        tile.in.dout += offset;
    }
    return tile;
}

/* The second time, the last tile comes first: of that most is in the caches yet. */
static typed(tile) typed(tile_again)(const typed(pass) * pass, size_t i) {
    return typed(tile_of)(pass, pass->tiling.down * pass->tiling.across - 1 - i);
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
