/* What the client's own files share; not installed, not for callers. */
#ifndef LAYERD_INTERNAL_H
#define LAYERD_INTERNAL_H

#include "layerd.h"

/* Bytes that grow. After a failed allocation `failed` stays set and appending does nothing, so that
 * a writer asks once, at its end. */
typedef struct layerd_buffer {
    char *data; /* NULL until the first byte */
    size_t length, capacity;
    bool failed;
} layerd_buffer;

/* Room for `length` more bytes, NULL where there is none; the writer adds to `buffer->length`. */
char *layerd_buffer_reserve(layerd_buffer *buffer, size_t length);
void layerd_buffer_add(layerd_buffer *buffer, const void *bytes, size_t length);
void layerd_buffer_text(layerd_buffer *buffer, const char *text);
void layerd_buffer_free(layerd_buffer *buffer);

/* Copies what there is room for, and nothing of a UTF-8 character that has not. */
void layerd_cut_copy(char *to, size_t size, const char *from);

/* Fills *error (may be NULL) and returns false. `pointer` may be NULL. */
bool layerd_fail(layerd_error *error, const char *code, const char *pointer, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
bool layerd_fail_memory(layerd_error *error);

/* Fills *error from the daemon's reply of status 400 or above. */
void layerd_fail_reply(layerd_error *error, const layerd_reply *reply);

/* The product of a shape into *size; false for a bad dtype or rank, or bytes that overflow. */
bool layerd_shape_size(layerd_dtype dtype, int rank, const size_t *shape, size_t *size);
size_t layerd_dtype_bytes(layerd_dtype dtype);
bool layerd_is_float(layerd_dtype dtype);

/* An answer is its tensors, by name, and everything else as JSON. */
typedef struct layerd_named {
    char *name;
    layerd_tensor *tensor; /* NULL once taken */
} layerd_named;

struct layerd_answer {
    layerd_named *tensors;
    size_t count;
    json_t *values;
};

/* Puts a tensor into an answer, which owns it from here on, on failure too. */
bool layerd_answer_add(layerd_answer *answer, const char *name, layerd_tensor *tensor,
                       layerd_error *error);

/* A request of either kind, an operation's or a graph's. */
typedef struct layerd_form {
    const char *path, *query;
    const char *place; /* that inputs have in a JSON pointer: "/", "/inputs/" */
    const layerd_input *inputs;
    size_t inputs_count;
    const layerd_handle *kept;
    size_t kept_count;
    const char *cache;
    const json_t *params;
    const json_t *graph; /* the document; NULL for an operation */
} layerd_form;

/* Checks a request, sends it and reads the answer. */
layerd_answer *layerd_send(layerd_client *client, const layerd_form *form, layerd_error *error);

/* False where there is no handle under the name. */
bool layerd_check_handle(const char *place, const layerd_handle *handle, layerd_error *error);

/* The body format, one file: a request out, an answer in. `dtype` is that of lists in the params;
 * `graph` says whether the answer is a graph's.
 * Both expect LC_NUMERIC to be that of the C locale. */
bool layerd_safetensors_encode(const layerd_form *form, layerd_dtype dtype, layerd_buffer *body,
                               layerd_error *error);
layerd_answer *layerd_safetensors_decode(const char *body, size_t length, bool graph,
                                         layerd_error *error);

/* A JSON number, or the string of NaN or an infinity. False for anything else. */
bool layerd_json_number(const json_t *json, double *number);

#endif
