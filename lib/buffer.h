/* Buffers, for the rest of the library: the memory behind tensors, counted by references. */
#ifndef LIB_BUFFER_H
#define LIB_BUFFER_H

#include "layers/tensor.h"

/* One more reference, one less (the last frees), and the bytes of data; NULL is fine for each. */
layers_buffer *layers_buffer_ref(layers_buffer *buffer);
void layers_buffer_unref(layers_buffer *buffer);
size_t layers_buffer_bytes(const layers_buffer *buffer);

/* As layers_tensor_make, but in the memory that the tensor has, where it is of as many bytes and no
 * one else holds it; otherwise the tensor's reference to that is given up. */
layers_code layers_tensor_renew(layers_tensor *tensor, layers_dtype dtype, const size_t *shape,
                                int rank, layers_error *error);

/* Whether nobody else holds the tensor's memory, and all of that is the tensor's. */
bool layers_tensor_is_sole(const layers_tensor *tensor);

#endif
