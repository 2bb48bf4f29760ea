/* safetensors for tests: the messages of JSON tests in the other form, and back. */
#ifndef TESTS_SAFETENSORS_H
#define TESTS_SAFETENSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The same request as a file, to be freed; NULL where the form cannot say it, because a type is
 * wrong or an array ragged. `labels` is the dtype of "y": "I64", "I32" or "U8". */
char *safetensors_from_json(const json_t *request, const char *labels, size_t *length);

/* The same for a graph: those of its inputs that the form can say are tensors of the file, the rest
 * of the document is a text. "labels" is of what its nodes take as labels, or what says so itself.
 */
char *safetensors_from_graph(const json_t *document, const char *labels, size_t *length);

/* The same answer as JSON, its tensors nested or flat; NULL where the file is not as the contract
 * says: whole, F64, F32 or I64, its bytes in the header's order from a multiple of 8 on. */
json_t *safetensors_to_json(const char *bytes, size_t length, bool flat);

#endif
