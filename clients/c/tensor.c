/* Tensors: a shape and its elements, in one allocation or over the caller's memory. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

size_t layerd_dtype_bytes(layerd_dtype dtype) {
    switch (dtype) {
    case LAYERD_FLOAT64:
        return sizeof(double);
    case LAYERD_FLOAT32:
        return sizeof(float);
    case LAYERD_INT64:
        return sizeof(int64_t);
    case LAYERD_UINT8:
        return sizeof(uint8_t);
    }
    return 0;
}

bool layerd_is_float(layerd_dtype dtype) {
    return dtype == LAYERD_FLOAT64 || dtype == LAYERD_FLOAT32;
}

bool layerd_shape_size(layerd_dtype dtype, int rank, const size_t *shape, size_t *size) {
    size_t width = layerd_dtype_bytes(dtype);
    if (width == 0 || rank < 0 || rank > LAYERD_MAX_RANK || (rank > 0 && shape == NULL))
        return false;

    /* A zero dimension must not hide an overflow among the others from whoever multiplies them in
     * another order: so zeros are left out of the bound. */
    size_t limit = (PTRDIFF_MAX - sizeof(layerd_tensor)) / width, product = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] == 0)
            empty = true;
        else if (product > limit / shape[i])
            return false;
        else
            product *= shape[i];
    }
    *size = empty ? 0 : product;
    return true;
}

layerd_tensor *layerd_tensor_make(layerd_dtype dtype, int rank, const size_t *shape) {
    size_t size;
    if (!layerd_shape_size(dtype, rank, shape, &size))
        return NULL;
    layerd_tensor *tensor = calloc(1, sizeof *tensor + size * layerd_dtype_bytes(dtype));
    if (tensor == NULL)
        return NULL;
    /* The elements follow the struct, whose alignment is at least theirs. */
    *tensor = layerd_wrap(dtype, rank, shape, tensor + 1);
    return tensor;
}

void layerd_tensor_free(layerd_tensor *tensor) {
    free(tensor);
}

layerd_tensor layerd_wrap(layerd_dtype dtype, int rank, const size_t *shape, const void *data) {
    layerd_tensor tensor = {.dtype = dtype, .size = 1};
    if (!layerd_shape_size(dtype, rank, shape, &tensor.size))
        return tensor;
    tensor.rank = rank;
    if (rank > 0)
        memcpy(tensor.shape, shape, (size_t)rank * sizeof *shape);
    tensor.data = (void *)data;
    return tensor;
}
