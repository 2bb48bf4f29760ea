/* A convolution as its answers see it: conv.c has the names and cases, conv_faults.c the
 * faults and conv_bound.c the bounds. */
#ifndef ANSWERS_CONV_H
#define ANSWERS_CONV_H

#include <stdint.h>

#include "checks/check.h"

enum { X, W, B };     /* forward's inputs */
enum { DX, DW, DB };  /* backward's outputs */
enum { STRIDE, PAD }; /* conv_param */

/* Places are signed: windows begin in the padding, before x does. */
typedef struct {
    int64_t N, C, H, W, F, R, S, P, Q;
    int64_t stride, pad;
    bool backward;
    const double *x, *w, *b, *dout; /* dout is NULL forward */
} convolution;

convolution convolution_of(const layers_check *check);

/* A place in a tensor of four axes, from its place in C order. */
typedef struct {
    int64_t a, b, c, d;
} place;

static inline place place_of(size_t i, int64_t B, int64_t C, int64_t D) {
    int64_t at = (int64_t)i, d = at % D, c = at / D % C, b = at / D / C % B;
    return (place){at / D / C / B, b, c, d};
}

/* An element of x, 0 in the padding; of w; and of dout. */
static inline double x_at(const convolution *g, int64_t n, int64_t c, int64_t h, int64_t w) {
    bool inside = h >= 0 && h < g->H && w >= 0 && w < g->W;
    return inside ? g->x[((n * g->C + c) * g->H + h) * g->W + w] : 0;
}
static inline double w_at(const convolution *g, int64_t f, int64_t c, int64_t r, int64_t s) {
    return g->w[((f * g->C + c) * g->R + r) * g->S + s];
}
static inline double dout_at(const convolution *g, int64_t n, int64_t f, int64_t p, int64_t q) {
    return g->dout[((n * g->F + f) * g->P + p) * g->Q + q];
}

/* layers_answers.bound, notes and note, of both operations. */
void conv_bound(const layers_check *check, int output, size_t first, size_t count, double *to);
size_t conv_notes(const layers_check *check);
void conv_note(const layers_check *check, double *notes);

/* How a fault goes about it: as is right but for what is set. */
typedef struct {
    enum { BY_PAD, BY_NOTHING, BY_ONE } padded; /* in front of x, and cut off dx */
    bool fitting;                               /* windows that x alone does not fill are left 0 */
    bool dense;                                 /* windows are 1 apart, not `stride` */
    bool short_of_last;                         /* the last windows are left 0 */
    bool flipped, exchanged;                    /* the kernel, in both directions; r for s */
    bool exchanged_out, exchanged_x;            /* p for q, h for w */
    enum { ONCE, NEVER, BY_PRODUCT, BY_CHANNEL } bias;           /* how often it is added */
    bool first_channel, last_channel, last_filter, last_example; /* that one alone */
    bool last_window;    /* that one alone: in dw of all, in dx of those that meet an element */
    bool mean, mean_all; /* over N; over N, P and Q */
    enum { BY_FILTER, BY_COLUMN, BY_ROW, BY_EXAMPLE } kept; /* what db is not summed over */
} conv_way;

/* The faults' `fill`; `how` is a conv_way. */
void conv_fault(const fault_view *view, size_t first, size_t count, double *to);

#endif
