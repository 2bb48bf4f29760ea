/* How a correlation goes: which bands an image is cut into, how these are laid out, and where each
 * tap of the kernel finds its elements there. */
#ifndef LIB_PLAN_H
#define LIB_PLAN_H

#include "convolution/axis.h"
#include "convolution/correlate.h"

/* The taps of the kernel that some results have: all taps for all results, forward. Backward, with
 * a stride, each row and column of dx meets every stride-th of the kernel. */
typedef struct {
    size_t row, column; /* residues, of axis_result */
    size_t taps;
    size_t first; /* of its taps in the plan's list */
} residue;

typedef struct {
    size_t images, planes, height, width; /* of the source */
    axis rows, columns;
    size_t channels, result_height, result_width; /* of the results */
    size_t channel_factors; /* from a channel's factors in w to the next one's */
    bool in_place;          /* the source is used where it lies */
    size_t residues;
    residue *residue;
    /* Of the taps of one residue after the other: where their elements lie in a band, from a
     * place's own on, and where their factors lie in w, from the channel's first on. */
    size_t taps;
    uint32_t *offset;
    uint32_t *factor; /* backward alone: forward takes them as they stand in w */
} plan;

/* Of a correlation, and of its gradient by x. LAYERS_NO_MEMORY. */
layers_code plan_forward(plan *p, const geometry *g, layers_error *error);
layers_code plan_backward(plan *p, const geometry *g, layers_error *error);
void plan_clear(plan *p);

/* Of a row and of a plane as they lie where the tiles find them. */
size_t plan_row(const plan *p);
size_t plan_plane(const plan *p);

/* Elements of a band that is laid out. */
size_t plan_band(const plan *p);

#endif
