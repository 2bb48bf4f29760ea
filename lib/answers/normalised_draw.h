/* Challenges of the normalisations: for layers_case.adjust. gamma and beta are drawn so that they
 * are not small. */
#ifndef ANSWERS_NORMALISED_DRAW_H
#define ANSWERS_NORMALISED_DRAW_H

#include "checks/check.h"

/* eps is 1/8, and the first set is of little variance: what is done with eps shows, in float32
 * too. */
void draw_plain(layers_drawing *drawing, layers_call *asked);
/* Every set's variance is about eps, 1/16. */
void draw_flat(layers_drawing *drawing, layers_call *asked);
/* The first set's mean is so far from 0 that squares lose the variance. The second is of little
 * variance, the others a little off. */
void draw_far(layers_drawing *drawing, layers_call *asked);
/* The same where each element of dgamma has terms of all sets: in float32 none is so far, since its
 * rounding would hide the others'. */
void draw_far_sums(layers_drawing *drawing, layers_call *asked);

/* The same of batchnorms, with running statistics; and in test mode. */
void draw_batch_plain(layers_drawing *drawing, layers_call *asked);
void draw_batch_flat(layers_drawing *drawing, layers_call *asked);
void draw_batch_far(layers_drawing *drawing, layers_call *asked);
void draw_batch_test(layers_drawing *drawing, layers_call *asked);

#endif
