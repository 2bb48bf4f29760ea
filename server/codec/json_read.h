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

/* A cursor over part of the text. */
static inline json_cursor json_source_cursor(const json_source *source, const char *at,
                                             const char *end) {
    return (json_cursor){.start = source->text,
                         .at = at,
                         .end = end,
                         .charge = source->charge,
                         .pool = source->pool,
                         .piece = source->piece};
}

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

#endif
