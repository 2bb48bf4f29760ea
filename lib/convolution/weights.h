/* The gradient of a correlation by its kernels.
 *
 *     dw_fcrs = Σ_npq dout_nfpq · xpad_nc,p·stride+r,q·stride+s
 *
 * is a sum over places, where correlate.h sums over taps: bands of x are laid out with the channels
 * of a pixel side by side, so that what the S columns of a kernel's row meet lies in one run, whose
 * vectors go with as many rows of dout as a tile has. Bands are added in their order. */
#ifndef LIB_WEIGHTS_H
#define LIB_WEIGHTS_H

#include "convolution/correlate.h"

/* dw (F, C, R, S) from x and dout. LAYERS_NO_MEMORY. */
layers_code correlate_weights_f64(const correlation *c, const double *x, const double *dout,
                                  double *dw, layers_error *error);
layers_code correlate_weights_f32(const correlation *c, const float *x, const float *dout,
                                  float *dw, layers_error *error);

#endif
