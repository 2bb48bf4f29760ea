/* Tensors and texts as a safetensors file (safetensors_read.h tells the format).
 *
 * Writing is unchecked: names and texts need no escaping in JSON, and the buffer is made as large
 * as the bound says. */
#ifndef CODEC_SAFETENSORS_WRITE_H
#define CODEC_SAFETENSORS_WRITE_H

#include "layers/tensor.h"

enum {
    SAFETENSORS_NAME = 64, /* of a name or a text, with a terminator */
    SAFETENSORS_MOST = 16, /* tensors, and texts */
};

typedef struct {
    char name[SAFETENSORS_NAME];
    const layers_tensor *tensor; /* LAYERS_F64 or LAYERS_F32 */
} safetensors_tensor_named;

typedef struct {
    char name[SAFETENSORS_NAME], text[SAFETENSORS_NAME];
} safetensors_text_named;

typedef struct {
    int tensor_count, text_count;
    safetensors_tensor_named tensors[SAFETENSORS_MOST]; /* of one dtype, so that each is aligned */
    safetensors_text_named texts[SAFETENSORS_MOST];     /* of "__metadata__" */
} safetensors_contents;

/* The most bytes that safetensors_write can write; SIZE_MAX where that is more than there can be.
 * The tensors need no data, and the texts may be any. */
size_t safetensors_bound(const safetensors_contents *contents);

/* Writes a file whose tensors' bytes start at a multiple of 8, and returns its end. */
char *safetensors_write(char *out, const safetensors_contents *contents);

#endif
