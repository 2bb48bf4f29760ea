/* Correlation of images with kernels: conv's forward, and its gradient by x, which is a correlation
 * of dout with the kernels turned round.
 *
 * An image is cut into bands of places. A band is laid out in memory, padding and all, so that what
 * neighbouring places meet under one tap of the kernel lies side by side whatever the stride; then
 * tiles (tile.h) sum the products. Nothing is unfolded: a band is about as large as its part of the
 * image, and an image without padding and stride is taken as it lies. Each result is computed by
 * itself, always in the same order: neither bands nor threads change its bytes. */
#ifndef LIB_CORRELATE_H
#define LIB_CORRELATE_H

#include "convolution/tile.h"
#include "layers/error.h"
#include "layers/pool.h"

#include <stddef.h>

/* x (N, C, H, W), w (F, C, R, S), out (N, F, P, Q), with P = ⌊(H + 2·pad − R) / stride⌋ + 1 and Q
 * likewise; stride and pad below 2^53. */
typedef struct {
    size_t N, C, H, W, F, R, S, P, Q;
    size_t stride, pad;
} geometry;

/* A kernel of one pixel that is applied to each pixel does not ask where these lie: images become
 * lines. */
geometry geometry_flattened(geometry g);

/* How to compute: in which tiles, those of the processor as a rule, and with whose help. */
typedef struct {
    geometry g;
    const tile_kind *kind; /* of the dtype */
    layers_pool *pool;     /* or NULL */
} correlation;

/* out = b + the correlation of x with w. LAYERS_NO_MEMORY. */
layers_code correlate_f64(const correlation *c, const double *x, const double *w, const double *b,
                          double *out, layers_error *error);
layers_code correlate_f32(const correlation *c, const float *x, const float *w, const float *b,
                          float *out, layers_error *error);

/* dx, the gradient of Σ out · dout by x. LAYERS_NO_MEMORY. */
layers_code correlate_back_f64(const correlation *c, const double *dout, const double *w,
                               double *dx, layers_error *error);
layers_code correlate_back_f32(const correlation *c, const float *dout, const float *w, float *dx,
                               layers_error *error);

#endif
