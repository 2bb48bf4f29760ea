/* Number arrays in JSON text, read straight into tensors: no object for a number or a list. */
#ifndef CODEC_JSON_ARRAY_H
#define CODEC_JSON_ARRAY_H

#include "base/budget.h"
#include "base/problem.h"
#include "layers/pool.h"
#include "layers/tensor.h"

/* The least piece of an array's text that is worth waking another thread for: it is read in 60 µs,
 * which is what waking takes. */
enum { JSON_PIECE = 64 << 10 };

/* A place in a JSON text, and by what means to read there. */
typedef struct {
    const char *start, *at, *end;
    charge *charge;    /* of each tensor's elements, before they are read; may be NULL */
    layers_pool *pool; /* its threads help to read long arrays; may be NULL */
    size_t piece;      /* least bytes of an array that one thread reads at a time; 0 for all */
} json_cursor;

/* Reads the nested list or the number that starts at cursor->at ('[', '-', a digit, N or I) into a
 * tensor of `dtype` (LAYERS_F64 or LAYERS_F32) that has its shape, and leaves the cursor behind it.
 * NaN and the infinities may be bare words or strings. `pointer` (RFC 6901) is where the value
 * stands; a problem's pointer goes on from there, e.g. "/x" + "/1". With any pool and any size of
 * pieces the outcome is the same.
 *
 * False with a problem: invalid_json with its place, ragged_array, wrong_type, invalid_shape (rank
 * above 32), number_out_of_range, overloaded (no memory, or the budget has none). Then there is no
 * tensor. */
bool json_array_read(json_cursor *cursor, layers_dtype dtype, const char *pointer,
                     layers_tensor *tensor, problem *problem);

/* The value of NaN, Infinity or -Infinity, without quotes. False for any other word. */
bool json_word_value(const char *word, size_t length, double *value);

/* invalid_json at `at`, with offset, line and column. Always false. */
bool json_malformed(const json_cursor *cursor, const char *at, const char *reason,
                    problem *problem);

#endif
