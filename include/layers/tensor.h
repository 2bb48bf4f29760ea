/* Tensors: a shape over a shared, reference-counted buffer, in C order.
 *
 * A layers_tensor is a small value that holds one reference to its buffer. Copying the struct does
 * not copy the reference: use layers_tensor_share, and layers_tensor_clear for each. Buffers may be
 * shared between threads (the count is atomic); a tensor itself belongs to one thread at a time,
 * and data that is shared is only read. */
#ifndef LAYERS_TENSOR_H
#define LAYERS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERS_MAX_RANK 32

typedef enum {
    LAYERS_F64, /* double */
    LAYERS_F32, /* float */
    LAYERS_I64, /* int64_t: labels */
    LAYERS_BIT, /* one bit an element, least significant first: masks that a cache keeps */
    LAYERS_U8,  /* uint8_t: masks that a caller gives; the bytes of a message or file that other
                   tensors are views of */
} layers_dtype;

typedef struct layers_buffer layers_buffer;

typedef struct {
    layers_dtype dtype;
    int rank;                      /* 0 (a scalar) to LAYERS_MAX_RANK */
    size_t shape[LAYERS_MAX_RANK]; /* `rank` of them count */
    size_t size;                   /* elements: the product of the shape, 1 for rank 0 */
    void *data;                    /* `size` elements in C order; NULL where there is no buffer */
    layers_buffer *buffer; /* what keeps `data` alive; NULL for memory of the caller's own */
} layers_tensor;

/* Bytes of a buffer of `size` elements of `dtype`; false where that overflows. */
LAYERS_API bool layers_dtype_bytes(layers_dtype dtype, size_t size, size_t *bytes);

/* "float64", "float32", "int64", "bit", "uint8". Never NULL; static. */
LAYERS_API const char *layers_dtype_name(layers_dtype dtype);

/* The product of `rank` dimensions into *size. False where the product of those that are not zero
 * overflows a buffer's size, even if one of them is zero: so every partial product of a shape that
 * was let in is safe to compute. */
LAYERS_API bool layers_shape_size(const size_t *shape, int rank, size_t *size);

/* Writes "(2, 3)", "(4,)" or "()" and returns `text`. Ends in "...)" where `length` is too short.
 */
LAYERS_API const char *layers_shape_text(const size_t *shape, int rank, char *text, size_t length);

/* Makes a tensor of uninitialised elements; the shape may be `tensor->shape` itself.
 * LAYERS_TOO_LARGE or LAYERS_NO_MEMORY; then *tensor is empty. */
LAYERS_API layers_code layers_tensor_make(layers_tensor *tensor, layers_dtype dtype,
                                          const size_t *shape, int rank, layers_error *error)
    __attribute__((warn_unused_result));

/* A tensor over memory that the caller keeps alive and unchanged for as long as it or anything that
 * shares it (a cache!) lives. Nothing is copied. `shape` must be one that layers_shape_size took.
 */
LAYERS_API layers_tensor layers_tensor_wrap(layers_dtype dtype, const size_t *shape, int rank,
                                            void *data);

/* A second tensor over the same buffer. */
LAYERS_API layers_tensor layers_tensor_share(const layers_tensor *tensor);

/* Makes *view a tensor over part of another's memory, from `offset` bytes behind its start on: it
 * shares the buffer, and nothing is copied. False, and *view empty, where the elements would not
 * lie within that memory or not be aligned for their dtype. */
LAYERS_API bool layers_tensor_view(layers_tensor *view, const layers_tensor *whole,
                                   layers_dtype dtype, const size_t *shape, int rank,
                                   size_t offset);

/* Gives up the reference and empties *tensor. An empty (zeroed) tensor is fine. */
LAYERS_API void layers_tensor_clear(layers_tensor *tensor);

/* Makes a tensor of rank 1 and unknown length grow or shrink in place: `capacity` elements of
 * memory, the first of them kept. The tensor must be the only one over its buffer. On failure
 * nothing has changed. */
LAYERS_API layers_code layers_tensor_resize(layers_tensor *tensor, size_t capacity,
                                            layers_error *error)
    __attribute__((warn_unused_result));

/* Bytes of memory behind a tensor's buffer, 0 for none. */
LAYERS_API size_t layers_tensor_memory(const layers_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
