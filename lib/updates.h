/* What the operations that update weights have in common: what they take and give, and that each
 * element is for itself. Each has its formula and its parameters in its own file.
 *
 * Results are those of the course's NumPy expressions to the last bit: the same operations in the
 * same order, each rounded to the dtype, a scalar (1 − beta1) computed in double and rounded before
 * it meets an array. */
#ifndef LIB_UPDATES_H
#define LIB_UPDATES_H

#include "call.h"

enum { UPDATE_W, UPDATE_DW }; /* inputs */

static const layers_field update_inputs[] = {
    {.name = "w", .shape = "...", .summary = "weights"},
    {.name = "dw", .shape = "...", .summary = "gradient of w"},
    {0},
};

static const layers_field update_outputs[] = {
    {.name = "next_w", .shape = "...", .summary = "the weights after the step"},
    {0},
};

// clang-format off: versions differ about lists in macros
#define UPDATE_LEARNING_RATE(rate)                                                                 \
    {                                                                                              \
        .name = "learning_rate", .kind = LAYERS_NUMBER, .has_fallback = true, .fallback = (rate),  \
        .minimum = 0, .maximum = 0x1.fffffffffffffp1023, .summary = "length of the step",          \
    }

#define UPDATE_EPSILON                                                                             \
    {                                                                                              \
        .name = "epsilon", .kind = LAYERS_NUMBER, .has_fallback = true, .fallback = 1e-8,          \
        .minimum = 0, .open_minimum = true, .maximum = 0x1.fffffffffffffp1023,                     \
        .summary = "added to the root",                                                            \
    }
// clang-format on

/* Updates the elements from `first` to `end`. What is before and after may be the same memory. */
typedef void update_step(const void *pass, size_t first, size_t end);

/* All elements, of so many nanoseconds each for one thread, by steps over pieces of them. */
void update_elements(const layers_call *call, double nanoseconds, update_step *step,
                     const void *pass);

#endif
