/* Tensors and texts as a safetensors file (safetensors_read.h tells the format).
 *
 * Writing is unchecked: names and texts need no escaping in JSON, and the buffer is made as large
 * as the bound says. */
#ifndef CODEC_SAFETENSORS_WRITE_H
#define CODEC_SAFETENSORS_WRITE_H

#include "layers/tensor.h"

enum { SAFETENSORS_TEXT = 64 }; /* bytes of a text, with a terminator */

/* Something under a name, or under "owner.name" where the owner is not NULL. */
typedef struct {
    const char *owner, *name;
    const layers_tensor *tensor; /* of any dtype but LAYERS_BIT */
} safetensors_tensor_named;

typedef struct {
    const char *owner, *name;
    const char *longer; /* in the place of `text`, of any length; NULL for none */
    char text[SAFETENSORS_TEXT];
} safetensors_text_named;

typedef struct {
    size_t tensor_count, text_count;
    safetensors_tensor_named *tensors; /* each is aligned where all are of one dtype */
    safetensors_text_named *texts;     /* of "__metadata__" */
} safetensors_contents;

/* The most bytes that safetensors_write can write; SIZE_MAX where that is more than there can be.
 * The tensors need no data, and the texts may be any. */
size_t safetensors_bound(const safetensors_contents *contents);

/* Writes a file whose tensors' bytes start at a multiple of 8, and returns its end. */
char *safetensors_write(char *out, const safetensors_contents *contents);

#endif
