/* Tensors as JSON text: nested lists or {"shape": [...], "data": [...]}, numbers shortest.
 *
 * Integers are written as such, and where they are flat say "dtype": "int64", as labels have to.
 *
 * Writing is unchecked: the buffer is made as large as the bounds say, and each function returns
 * the end of what it wrote. */
#ifndef CODEC_JSON_WRITE_H
#define CODEC_JSON_WRITE_H

#include "layers/pool.h"
#include "layers/tensor.h"

/* The most bytes that json_write_tensor can write for a tensor of this dtype and shape; SIZE_MAX
 * where that is more than there can be. The tensor needs no data. */
size_t json_tensor_bound(const layers_tensor *tensor, bool flat);

/* Threads of the pool, which may be NULL, help with large tensors. */
char *json_write_tensor(char *out, const layers_tensor *tensor, bool flat, layers_pool *pool);

/* A text as it is, without quotes and without escaping: for names and punctuation of our own. */
char *json_write_raw(char *out, const char *text);

/* A number, 24 bytes at most. */
char *json_write_double(char *out, double number);

#endif
