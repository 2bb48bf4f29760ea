/* Shape patterns ("N D...", "D M", "..."): matching shapes against them, and making shapes from
 * them. layers_field in layers/operation.h says what a pattern means. */
#ifndef LIB_DIMS_H
#define LIB_DIMS_H

#include "layers/operation.h"

/* A tensor to be matched. */
typedef struct {
    const char *pattern;
    const char *name;  /* in sentences */
    const char *field; /* in layers_error.field */
    const layers_tensor *tensor;
} dims_subject;

/* Matches a shape against its pattern; letters that are new get their lengths, known ones must
 * agree. LAYERS_INVALID_SHAPE for a rank that never fits, LAYERS_SHAPE_MISMATCH for a
 * disagreement. */
layers_code dims_match(layers_dims *dims, const dims_subject *subject, layers_error *error);

/* Writes the shape that a pattern of known letters stands for; returns its rank. */
int dims_shape(const layers_dims *dims, const char *pattern, size_t shape[LAYERS_MAX_RANK]);

/* Gives a letter that is not known a length that follows from others. */
void dims_derive(layers_dims *dims, char letter, size_t length);

/* The length of a letter that is known. */
size_t dims_length(const layers_dims *dims, char letter);

#endif
