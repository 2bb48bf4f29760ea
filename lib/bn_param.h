/* The parameters of batchnorm and spatial_batchnorm, which differ in what they normalise alone. */
#ifndef LIB_BN_PARAM_H
#define LIB_BN_PARAM_H

#include "normalised.h"

enum { MODE, EPS, MOMENTUM, RUNNING_MEAN, RUNNING_VAR };
enum { TRAIN, TEST };

// clang-format off: versions differ about lists in macros
/* For .params: `each` is the pattern of what there is one of for each `what`. */
#define BN_PARAMS(each, what)                                                                      \
    (const layers_param[]) {                                                                       \
        {.name = "mode",                                                                           \
         .kind = LAYERS_CHOICE,                                                                    \
         .required = true,                                                                         \
         .choices = {[TRAIN] = "train", [TEST] = "test"},                                          \
         .summary = "\"train\" normalises by the batch, \"test\" by the running statistics"},      \
            EPS_PARAM,                                                                             \
            {.name = "momentum",                                                                   \
             .kind = LAYERS_NUMBER,                                                                \
             .has_fallback = true,                                                                 \
             .fallback = 0.9,                                                                      \
             .minimum = 0,                                                                         \
             .maximum = 1,                                                                         \
             .summary = "share of the running statistics that stays"},                             \
            {.name = "running_mean",                                                               \
             .kind = LAYERS_TENSOR,                                                                \
             .shape = each,                                                                        \
             .summary = "running mean of each " what "; zeros where absent"},                      \
            {.name = "running_var",                                                                \
             .kind = LAYERS_TENSOR,                                                                \
             .shape = each,                                                                        \
             .summary = "running variance of each " what "; zeros where absent"},                  \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
// clang-format on

#endif
