/* Errors as callers see them: RFC 9457 problem details. */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"

/* The one list of error kinds: enumerator, status, code, title. */
#define PROBLEMS(X)                                                                                \
    X(PROBLEM_INVALID_JSON, 400, "invalid_json", "The body is not valid JSON")                     \
    X(PROBLEM_INVALID_SAFETENSORS, 400, "invalid_safetensors",                                     \
      "The body is not valid safetensors")                                                         \
    X(PROBLEM_INVALID_QUERY, 400, "invalid_query", "The query is not understood")                  \
    X(PROBLEM_INVALID_REQUEST, 400, "invalid_request", "The request is not valid HTTP")            \
    X(PROBLEM_UNAUTHORIZED, 401, "unauthorized", "A token is needed")                              \
    X(PROBLEM_FORBIDDEN, 403, "forbidden", "This caller may not do that")                          \
    X(PROBLEM_NOT_FOUND, 404, "not_found", "There is nothing at this path")                        \
    X(PROBLEM_UNKNOWN_CACHE, 404, "unknown_cache", "The cache handle is not known")                \
    X(PROBLEM_METHOD_NOT_ALLOWED, 405, "method_not_allowed", "The path has other methods")         \
    X(PROBLEM_NOT_ACCEPTABLE, 406, "not_acceptable", "No acceptable form of the answer")           \
    X(PROBLEM_CHALLENGE_SPENT, 409, "challenge_spent", "The challenge was answered otherwise")     \
    X(PROBLEM_CHALLENGE_EXPIRED, 410, "challenge_expired", "The challenge has expired")            \
    X(PROBLEM_BODY_TOO_LARGE, 413, "body_too_large", "The body is too large")                      \
    X(PROBLEM_UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type", "The body's type is unknown") \
    X(PROBLEM_MISSING_FIELD, 422, "missing_field", "A field is missing")                           \
    X(PROBLEM_UNKNOWN_FIELD, 422, "unknown_field", "A field is not known")                         \
    X(PROBLEM_WRONG_TYPE, 422, "wrong_type", "A field is of the wrong type")                       \
    X(PROBLEM_RAGGED_ARRAY, 422, "ragged_array", "An array is not rectangular")                    \
    X(PROBLEM_INVALID_SHAPE, 422, "invalid_shape", "A shape does not suit the operation")          \
    X(PROBLEM_SHAPE_MISMATCH, 422, "shape_mismatch", "Two shapes do not fit each other")           \
    X(PROBLEM_INVALID_PARAM, 422, "invalid_param", "A parameter is outside its range")             \
    X(PROBLEM_LABEL_OUT_OF_RANGE, 422, "label_out_of_range", "A label names no class")             \
    X(PROBLEM_NUMBER_OUT_OF_RANGE, 422, "number_out_of_range", "A number is too large")            \
    X(PROBLEM_WRONG_CACHE, 422, "wrong_cache", "The cache is another layer's")                     \
    X(PROBLEM_INVALID_GRAPH, 422, "invalid_graph", "The graph cannot be computed")                 \
    X(PROBLEM_INVALID_CHALLENGE, 422, "invalid_challenge", "The challenge is not known")           \
    X(PROBLEM_RESULT_TOO_LARGE, 422, "result_too_large", "The result would be too large")          \
    X(PROBLEM_RATE_LIMITED, 429, "rate_limited", "Too much from one caller")                       \
    X(PROBLEM_HEADERS_TOO_LARGE, 431, "headers_too_large", "The headers are too large")            \
    X(PROBLEM_INTERNAL, 500, "internal", "The server failed")                                      \
    X(PROBLEM_NOT_IMPLEMENTED, 501, "not_implemented", "The server does not know how to do that")  \
    X(PROBLEM_OVERLOADED, 503, "overloaded", "The server has too much to do")                      \
    X(PROBLEM_CACHE_FULL, 503, "cache_full", "The cache is full")                                  \
    X(PROBLEM_CHALLENGES_FULL, 503, "challenges_full", "Too many challenges are spent")            \
    X(PROBLEM_STORE_UNAVAILABLE, 503, "store_unavailable", "The store of handles does not answer") \
    X(PROBLEM_DRAINING, 503, "draining", "The server is about to stop")

#define PROBLEM_ENUMERATOR(name, status, code, title) name,
typedef enum { PROBLEMS(PROBLEM_ENUMERATOR) PROBLEM_KINDS } problem_kind;
#undef PROBLEM_ENUMERATOR

/* A kind in a set of kinds. */
#define PROBLEM_BIT(kind) (UINT64_C(1) << (kind))

typedef struct {
    problem_kind kind;
    char pointer[192];   /* RFC 6901, what is at fault; "" where no single thing is */
    char detail[640];    /* one sentence that a person can act on */
    bool has_place;      /* invalid_json, and invalid_safetensors where its header is none: */
    size_t offset;       /* bytes from the start of the body */
    size_t line, column; /* from 1, the column in bytes; 0 where the body has no lines */
    int retry_after;     /* seconds, for the header; 0 for none */
    const char *header, *value; /* one more header of the answer; NULL for none */
} problem;

/* Fills *problem, without place, retry or header. Always false: `return problem_set(...)`. */
bool problem_set(problem *problem, problem_kind kind, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same from an error of liblayers. */
bool problem_set_layers(problem *problem, const layers_error *error);

/* 503 draining, to be tried again elsewhere. Always false. */
bool problem_set_draining(problem *problem);

/* 503 overloaded, to be tried again. Always false. */
bool problem_set_overloaded(problem *problem, const char *detail);

/* "no memory for ...": 503 overloaded, to be tried again. Always false. */
bool problem_set_memory(problem *problem, const char *what);

int problem_status(problem_kind kind);
const char *problem_code(problem_kind kind);
const char *problem_title(problem_kind kind);

/* The answer's body, to be freed by the caller; NULL where there is no memory. */
char *problem_body(const problem *problem, size_t *length);

/* Copies at most size - 1 bytes of UTF-8, cut between characters; bytes that are no UTF-8 become
 * '?'. Returns `out`. */
char *text_clip(char *out, size_t size, const char *text);

/* Adds a key to a JSON pointer of at most size - 1 bytes: '/', then the key with ~ and / as ~0 and
 * ~1. Returns `pointer`. */
char *pointer_add(char *pointer, size_t size, const char *key);

#endif
