/* What the losses share: their inputs and the check of the labels. */
#ifndef LIB_LOSS_H
#define LIB_LOSS_H

#include "call.h"

enum { LOSS_X, LOSS_Y };     /* inputs: scores (N, C), labels (N) */
enum { LOSS_LOSS, LOSS_DX }; /* outputs: scalar, (N, C) */

extern const layers_field loss_inputs[], loss_outputs[];

/* N ≥ 1, and 0 ≤ y < C for each label. */
layers_code loss_check(const layers_call *call, layers_error *error);

#endif
