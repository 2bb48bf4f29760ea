/* Buffers, for the rest of the library: the memory behind tensors, counted by references. */
#ifndef LIB_BUFFER_H
#define LIB_BUFFER_H

#include "layers/tensor.h"

/* One more reference, one less (the last frees), and the bytes of data; NULL is fine for each. */
layers_buffer *layers_buffer_ref(layers_buffer *buffer);
void layers_buffer_unref(layers_buffer *buffer);
size_t layers_buffer_bytes(const layers_buffer *buffer);

#endif
