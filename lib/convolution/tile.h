/* Sums of products that stay in the processor's registers: what convolutions are made of, without
 * unfolding their images in memory.
 *
 * A tile is some rows (output channels) by some vectors (neighbouring places). For each term k,
 * each vector of x is loaded from where it lies, `offset[k]` beyond its first place, and goes to
 * every row's sum with that row's factor:
 *
 *     sums[row · apart + to[v] + lane] = Σ_k a[row · a_apart + k] · x[at[v] + offset[k] + lane]
 *
 * Terms are added one after the other in blocks of TILE_BLOCK, and then the blocks' sums, so that
 * the error grows with TILE_BLOCK + K / TILE_BLOCK instead of K. Processors that multiply and add
 * in one rounding do: as with a BLAS, they give other last bits than others, but the same for any
 * number of threads. */
#ifndef LIB_CONVOLUTION_TILE_H
#define LIB_CONVOLUTION_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TILE_BLOCK = 256, TILE_VECTORS = 3, TILE_ROWS_MOST = 8, TILE_LANES_MOST = 16 };

typedef struct {
    size_t rows;   /* at most those of the kind */
    size_t terms;  /* K */
    const void *a; /* (rows, K) */
    size_t a_apart;
    const uint32_t *offset; /* K */
    const void *x;
    size_t at[TILE_VECTORS];
    void *sums;
    size_t to[TILE_VECTORS];
    size_t apart;
    const void *bias; /* (rows), added last; NULL for none */
    bool add;         /* to what stands in sums, instead of setting it */
} tile;

/* By rows, all or at most half of them, and by vectors, from 1 on. */
typedef struct {
    size_t lanes; /* of a vector; 0: there are no such tiles */
    void (*sum[2][TILE_VECTORS])(const tile *tile);
} tile_sums;

/* The tiles of one kind of processor. */
typedef struct {
    const char *name;
    bool (*runs)(void); /* on this processor */
    size_t rows;        /* of a tile; also half as many */
    tile_sums whole;    /* vectors as long as the processor has them, */
    tile_sums half;     /* and shorter ones */
} tile_kind;

/* All kinds, the fastest first, ended by a NULL name; the last runs everywhere. */
extern const tile_kind tile_kinds_f64[], tile_kinds_f32[];

/* The first of them that runs here. */
const tile_kind *tile_kind_f64(void);
const tile_kind *tile_kind_f32(void);

#endif
