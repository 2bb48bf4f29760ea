/* Masks that a caller gives: tensors of zeros and ones, of LAYERS_U8, LAYERS_F64 or LAYERS_F32. */
#ifndef LIB_MASK_H
#define LIB_MASK_H

#include "layers/tensor.h"

/* Holds a tensor to the dtypes of masks: LAYERS_WRONG_TYPE at `field`. */
layers_code mask_check_dtype(const layers_tensor *mask, const char *field, layers_error *error);

/* Holds each element to 0 and 1: LAYERS_INVALID_PARAM at "<field>/1/2". */
layers_code mask_check_values(const layers_tensor *mask, const char *field, layers_error *error);

/* Elements from `first`, a multiple of 8, on as bits (bits.h). */
void mask_pack(const layers_tensor *mask, size_t first, size_t count, uint8_t *bits);

#endif
