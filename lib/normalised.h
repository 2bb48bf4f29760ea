/* What the caches of normalisations keep: x and gamma, shared, and of each set that was normalised
 * its mean, as the sum of two numbers, and 1 / sqrt(var + eps). */
#ifndef LIB_NORMALISED_H
#define LIB_NORMALISED_H

#include "call.h"
#include "moments.h"

enum { SAVED_X, SAVED_GAMMA, MEAN, REST, INV_STD };

// clang-format off: versions differ about lists in macros
/* For .params. */
#define EPS_PARAM                                                                                  \
    {                                                                                              \
        .name = "eps", .kind = LAYERS_NUMBER, .has_fallback = true, .fallback = 1e-5,              \
        .minimum = 0, .open_minimum = true, .maximum = 0x1.fffffffffffffp1023,                     \
        .summary = "added to the variance",                                                        \
    }

/* For .saved: `sets` is the pattern of what there is one of for each set. */
#define NORMALISED_SAVED(sets)                                                                     \
    (const layers_saved[]) {                                                                       \
        [SAVED_X] = {.name = "x"}, [SAVED_GAMMA] = {.name = "gamma"},                              \
        [MEAN] = {.name = "mean", .shape = sets, .dtype = LAYERS_F64},                             \
        [REST] = {.name = "rest", .shape = sets, .dtype = LAYERS_F64},                             \
        [INV_STD] = {.name = "inv_std", .shape = sets, .dtype = LAYERS_F64}, {                     \
            0                                                                                      \
        }                                                                                          \
    }
// clang-format on

static inline double *saved_numbers(const layers_cache *cache, int which) {
    return cache->saved[which].data;
}

/* Those of set i. */
static inline void keep_moments(const layers_cache *cache, size_t i, const moments *m) {
    saved_numbers(cache, MEAN)[i] = m->mean;
    saved_numbers(cache, REST)[i] = m->rest;
    saved_numbers(cache, INV_STD)[i] = m->inv_std;
}
static inline moments kept_moments(const layers_cache *cache, size_t i) {
    return (moments){.mean = saved_numbers(cache, MEAN)[i],
                     .rest = saved_numbers(cache, REST)[i],
                     .inv_std = saved_numbers(cache, INV_STD)[i]};
}

#endif
