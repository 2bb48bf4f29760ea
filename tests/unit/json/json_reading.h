/* Reading JSON from memory that ends where the text ends, so that a look past it is found. */
#ifndef UNIT_JSON_READING_H
#define UNIT_JSON_READING_H

#include "codec/json_array.h"
#include "codec/json_read.h"
#include "unit/calls.h"

/* An array, or what is wrong with it. `tensor` is the caller's to clear. */
typedef struct {
    bool read;
    size_t consumed; /* bytes, where it was read */
    layers_tensor tensor;
    problem problem;
} array_reading;

array_reading read_array(const char *text, size_t length, layers_dtype dtype);
array_reading read_array_in_pieces(const char *text, size_t length, layers_dtype dtype,
                                   layers_pool *pool, size_t piece);

/* A document, over a copy of its text. */
typedef struct {
    bool read;
    char *copy;
    json_document document;
    problem problem;
} document_reading;

document_reading read_document(const char *text, size_t length, layers_dtype dtype);
void document_close(document_reading *reading);

/* The problem is of this kind and at this pointer (NULL: at any), for the text `text`. */
void assert_problem(const problem *problem, problem_kind kind, const char *pointer,
                    const char *text);

/* invalid_json at this offset, with the line and column that follow from it. */
void assert_malformed_at(const problem *problem, size_t offset, const char *text);

#endif
