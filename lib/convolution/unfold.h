/* Correlations by matrix products, for shapes that tiles are no good at: rows of a few places,
 * whose vectors would be almost empty, and images of which each pixel is under few windows, whose
 * gradient would be sums of padding. Some places at a time are unfolded: a row of numbers for each,
 * all that its window holds. */
#ifndef LIB_UNFOLD_H
#define LIB_UNFOLD_H

#include "convolution/correlate.h"

/* As correlate and correlate_back; w need not be finite. LAYERS_NO_MEMORY. */
layers_code unfold_f64(const correlation *c, const double *x, const double *w, const double *b,
                       double *out, layers_error *error);
layers_code unfold_f32(const correlation *c, const float *x, const float *w, const float *b,
                       float *out, layers_error *error);
layers_code unfold_back_f64(const correlation *c, const double *dout, const double *w, double *dx,
                            layers_error *error);
layers_code unfold_back_f32(const correlation *c, const float *dout, const float *w, float *dx,
                            layers_error *error);

#endif
