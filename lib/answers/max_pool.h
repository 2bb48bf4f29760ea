/* Pooling as its answers see it: max_pool.c has the names and cases, max_pool_faults.c the faults
 * and max_pool_bound.c the bounds. */
#ifndef ANSWERS_MAX_POOL_H
#define ANSWERS_MAX_POOL_H

#include <stdint.h>

#include "checks/check.h"

enum { X };                               /* forward's input */
enum { POOL_HEIGHT, POOL_WIDTH, STRIDE }; /* pool_param */

typedef struct {
    int64_t H, W, P, Q, R, S, stride;
    const double *x, *out, *dout; /* dout is NULL forward */
} pooling;

pooling pooling_of(const layers_check *check);

static inline double x_at(const pooling *g, int64_t plane, int64_t h, int64_t w) {
    return g->x[(plane * g->H + h) * g->W + w];
}

static inline int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* From `first` to before `end`. */
typedef struct {
    int64_t first, end;
} span;

/* The windows of this size, along one direction, that hold `at`. */
static inline span windows_over(int64_t at, int64_t size, int64_t stride, int64_t windows) {
    int64_t first = at < size ? 0 : (at - size) / stride + 1;
    return (span){first, least(at / stride + 1, windows)};
}

/* layers_answers.bound, notes and note. */
void pool_forward_bound(const layers_check *check, int output, size_t first, size_t count,
                        double *to);
void pool_backward_bound(const layers_check *check, int output, size_t first, size_t count,
                         double *to);

size_t pool_backward_notes(const layers_check *check);
void pool_backward_note(const layers_check *check, double *notes);

/* How a fault goes about it: as is right but for what is set. */
typedef struct {
    enum {
        LARGEST,
        MEAN,
        SMALLEST,
        AT_LEAST_ZERO,   /* the largest of them and 0 */
        AT_LEAST_LOWEST, /* and the lowest number that is finite */
        LARGEST_NUMBER,  /* not NaN */
    } of;
    enum {
        FIRST,
        LAST,
        FIRST_BY_COLUMNS,
        ALL,
        SHARED,
        EVERY
    } to;               /* of the largest; of the window */
    bool dense;         /* windows are 1 apart, not `stride` */
    bool exchanged;     /* pool_width high and pool_height wide */
    bool high_is_wide;  /* pool_height high and wide */
    bool wide_is_high;  /* pool_width high and wide */
    bool short_of_last; /* the last windows are left out */
    bool mask_only;     /* dout is 1 */
    enum { ADDED, LAST_WINNER, LAST_WINDOW } overlap;
} pool_way;

/* The faults' `fill`; `how` is a pool_way. */
void pool_forward_fault(const fault_view *view, size_t first, size_t count, double *to);
void pool_backward_fault(const fault_view *view, size_t first, size_t count, double *to);

/* Its memo, and in_reach of layers_answers. */
size_t pool_backward_memo(const fault_view *view);
bool pool_backward_in_reach(const layers_check *check);

#endif
