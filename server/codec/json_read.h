/* JSON request bodies.
 *
 * A document is read in two parts. Every number and every array of the text, wherever it stands,
 * goes straight into a tensor; what is left of the text, with the index of the tensor in each such
 * place, is a small document that Jansson reads. */
#ifndef CODEC_JSON_READ_H
#define CODEC_JSON_READ_H

#include <jansson.h>

#include "codec/json_array.h"

typedef struct {
    const char *text; /* of the value, in the body */
    size_t left;      /* position behind its index in the text that Jansson reads */
    const char *end;  /* behind the value, in the body */
    layers_tensor tensor;
} json_number_array;

/* What to read. */
typedef struct {
    const char *text; /* must stay as it is until json_document_free */
    size_t length;
    layers_dtype dtype; /* that numbers most likely are wanted in: another costs a second look */
    charge *charge;     /* of the tensors' elements; may be NULL */
    layers_pool *pool;  /* as in a json_cursor */
    size_t piece;       /* as in a json_cursor */
    bool is_graph;      /* a graph: its lists of nodes and of names are left to Jansson, it may have
                           more beside arrays, and flat tensors may say "dtype" */
} json_source;

typedef struct {
    json_source source;
    json_t *root; /* numbers and arrays are integers: indices into `arrays` */
    json_number_array *arrays;
    size_t count, capacity;
} json_document;

/* Reads a body, whose root is an object.
 * False with a problem: those of json_array_read, wrong_type, body_too_large (too much beside
 * arrays and strings); then there is nothing to free. */
bool json_document_read(json_document *document, const json_source *source, problem *problem);
void json_document_free(json_document *document);

/* The tensor that `value` stands for, moved out of the document into *tensor: a nested list, a
 * number, "NaN" and its like, or {"shape": [...], "data": [...]}, where a number stands for a list
 * of one. `dtype` may be LAYERS_I64, for labels. `pointer` is where the value stands. */
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
