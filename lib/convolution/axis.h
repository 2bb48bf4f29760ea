/* One direction, rows or columns, of a correlation: which elements of the source a place meets, how
 * bands of places are laid out, and which result a place is. */
#ifndef LIB_AXIS_H
#define LIB_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t first; /* place */
    size_t places; /* so many, from the first on */

    /* The element that place i meets in phase a, `shift` further on, is (i + shift) · step + a +
     * base; those outside the source are zeros. */
    size_t step;
    int64_t base;
    size_t length; /* of the source */
    size_t phases;
    size_t reach; /* the largest shift */

    /* Place i of residue a is the result i · result_step + a − result_pad, where there is one. */
    size_t result_step;
    int64_t result_pad;
    size_t results;

    size_t band; /* places that are laid out together, at most */
} axis;

static inline size_t divide_up(size_t a, size_t b) {
    return a / b + (a % b != 0);
}

/* So many bands of this length, `most` at most, have no more than `elements`; one is always. */
static inline size_t bands_together(size_t length, size_t most, size_t elements) {
    size_t fit = elements / (length + 1);
    return fit > most ? most : fit > 0 ? fit : 1;
}

/* ⌊a / b⌋ and ⌈a / b⌉ for a of either sign. */
static inline int64_t floor_of(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}
static inline int64_t ceil_of(int64_t a, int64_t b) {
    return -floor_of(-a, b);
}

static inline size_t axis_bands(const axis *axis) {
    return divide_up(axis->places, axis->band);
}

/* Of a band, as it is laid out: each phase's places and what these reach. */
static inline size_t axis_laid_out(const axis *axis) {
    return axis->phases * (axis->band + axis->reach);
}

/* Where, from a place's first element on, that of a tap of the kernel lies. */
static inline size_t axis_tap(const axis *axis, size_t tap) {
    size_t shift = tap / axis->step, phase = tap - shift * axis->step;
    return phase * (axis->band + axis->reach) + shift;
}

/* The places of a band, of number `i`, that are results of residue `a`: from *low to before *high,
 * counted from the band's first. False where there are none. */
static inline bool axis_results(const axis *axis, size_t i, size_t a, size_t *low, size_t *high) {
    int64_t first = axis->first + (int64_t)(i * axis->band), step = (int64_t)axis->result_step;
    int64_t places = (int64_t)(axis->places - i * axis->band);
    int64_t from = ceil_of(axis->result_pad - (int64_t)a, step) - first;
    int64_t to =
        floor_of((int64_t)axis->results - 1 + axis->result_pad - (int64_t)a, step) + 1 - first;
    places = places < (int64_t)axis->band ? places : (int64_t)axis->band;
    from = from > 0 ? from : 0;
    to = to < places ? to : places;
    *low = (size_t)from;
    *high = (size_t)to;
    return from < to;
}

/* The result that a place of a band is. */
static inline size_t axis_result(const axis *axis, size_t i, size_t place, size_t a) {
    int64_t at = axis->first + (int64_t)(i * axis->band + place);
    return (size_t)(at * (int64_t)axis->result_step + (int64_t)a - axis->result_pad);
}

#endif
