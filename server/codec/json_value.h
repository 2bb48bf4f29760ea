/* What stands in a JSON document that was read: tensors, numbers and texts. For the thread that has
 * the document, whose tensors move out of it. */
#ifndef CODEC_JSON_VALUE_H
#define CODEC_JSON_VALUE_H

#include "codec/json_read.h"

/* The tensor that `value` stands for, moved out of the document into *tensor: a nested list, a
 * number, "NaN" and its like, or {"shape": [...], "data": [...]}, where a number stands for a list
 * of one. `dtype` may be LAYERS_I64, for labels. `pointer` is where the value stands.
 * False with a problem there or inside it: wrong_type, unknown_field, missing_field, invalid_shape,
 * number_out_of_range, overloaded. */
bool json_tensor(json_document *document, const json_t *value, layers_dtype dtype,
                 const char *pointer, layers_tensor *tensor, problem *problem);

/* Whether a flat tensor of a graph says that it holds integers: "dtype": "int64". */
bool json_says_integers(const json_t *value);

/* The number that `value` is. */
bool json_double(json_document *document, const json_t *value, const char *pointer, double *number,
                 problem *problem);

/* The text of a string, NULL for anything else. One with a NUL in it, which is never what is looked
 * for, is the text \\u0000. */
const char *json_plain_text(const json_t *value);

/* "a string", "a list", ...: what a value is, for sentences. */
const char *json_kind(const json_document *document, const json_t *value);

#endif
