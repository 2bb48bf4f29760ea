/* safetensors files: eight bytes with the length of a header, little-endian; the header, a JSON
 * object of {"name": {"dtype": "F64", "shape": [2, 3], "data_offsets": [0, 48]}} and of texts under
 * "__metadata__"; then the tensors' bytes, which the offsets count from the end of the header.
 *
 * The reader takes a file only if all of it is accounted for: no two tensors overlap and no byte
 * belongs to none. A dot in a name is a step of the pointer in a problem: "bn_param.running_mean"
 * is at "/bn_param/running_mean". */
#ifndef CODEC_SAFETENSORS_READ_H
#define CODEC_SAFETENSORS_READ_H

#include <jansson.h>

#include "base/budget.h"
#include "base/problem.h"
#include "layers/tensor.h"

typedef struct {
    const char *name; /* "F64", "BF16", ... */
    size_t bytes;     /* of an element */
    bool is_read;     /* by safetensors_tensor, which makes it a tensor of */
    layers_dtype as;
} safetensors_dtype;

typedef struct {
    const char *name; /* of the header */
    const safetensors_dtype *dtype;
    int rank;
    size_t shape[LAYERS_MAX_RANK];
    size_t size;       /* elements */
    size_t begin, end; /* of its bytes, from the start of the file */
} safetensors_entry;

typedef struct {
    json_t *header;
    json_t *metadata; /* texts by key, of the header; NULL where there are none */
    safetensors_entry *entries;
    size_t count;
} safetensors_file;

/* Reads the header of a file that stands in memory and holds the file to it. The entries are in the
 * order of their bytes. False with a problem: invalid_safetensors, invalid_shape (rank above 32),
 * body_too_large (a header above `most` bytes), overloaded (no memory); then there is nothing to
 * free. */
enum { SAFETENSORS_HEADER = 64 << 10 }; /* that are enough for one operation */
bool safetensors_read(safetensors_file *file, const char *bytes, size_t length, size_t most,
                      problem *problem);
void safetensors_free(safetensors_file *file);

/* The tensor of an entry whose dtype is read, F64, F32, I64, I32 or U8: a view of the file
 * (LAYERS_U8) that the entry stands in, or a copy where its bytes are not aligned. I32 and U8 are
 * widened to LAYERS_I64. What is copied is charged; `charge` may be NULL. False with a problem
 * where there is no memory. */
bool safetensors_tensor(const safetensors_entry *entry, const layers_tensor *file, charge *charge,
                        layers_tensor *tensor, problem *problem);

/* The pointer of a name. Returns `pointer`. */
const char *safetensors_pointer(const char *name, char *pointer, size_t size);

#endif
