/* The form of requests and answers: safetensors. Eight bytes with the length of a JSON header,
 * little-endian; the header, which tells each tensor's dtype, shape and place, and has texts under
 * "__metadata__"; then the tensors' bytes. What stands inside a parameter has its name dotted. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

enum { LENGTH_BYTES = 8, ALIGNMENT = 8, NUMBER_ROOM = 40 };

static const char *const dtype_names[] = {
    [LAYERD_FLOAT64] = "F64",
    [LAYERD_FLOAT32] = "F32",
    [LAYERD_INT64] = "I64",
    [LAYERD_UINT8] = "U8",
};
enum { DTYPES = sizeof dtype_names / sizeof *dtype_names };

/* "bn_param.eps", or the name alone where there is no parent. */
static char *full_name(const char *parent, const char *name) {
    layerd_buffer full = {0};
    if (parent != NULL) {
        layerd_buffer_text(&full, parent);
        layerd_buffer_text(&full, ".");
    }
    layerd_buffer_text(&full, name);
    layerd_buffer_add(&full, "", 1);
    if (full.failed)
        layerd_buffer_free(&full);
    return full.data;
}

/* ---- writing ----------------------------------------------------------------------------- */

typedef struct request_writing {
    const layerd_form *form;
    layerd_dtype dtype; /* of lists in the params */
    json_t *header, *metadata;
    layerd_answer *lists;  /* tensors made of them */
    layerd_input *tensors; /* all, in the order of their bytes */
    size_t count;
    size_t offset; /* behind the last of them */
    layerd_error *error;
} request_writing;

/* An operation's tensors and texts are of one space of names; a graph's have its one text beside
 * them. Jansson makes no string of what is not UTF-8, and does not tell that from a lack of
 * memory. */
static bool put(request_writing *w, json_t *object, const char *name, json_t *value) {
    if (json_object_get(object, name) != NULL ||
        (w->form->graph == NULL && json_object_get(w->metadata, name) != NULL)) {
        json_decref(value);
        return layerd_fail(w->error, "invalid_input", NULL, "The name %s is given twice.", name);
    }
    return json_object_set_new(object, name, value) == 0 ||
           layerd_fail(w->error, "invalid_input", NULL,
                       "A name, a text or a handle is not UTF-8, or memory is short.");
}

static bool put_text(request_writing *w, const char *name, const json_t *value) {
    char text[NUMBER_ROOM];
    if (json_is_string(value))
        return put(w, w->metadata, name, json_string(json_string_value(value)));
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    else
        return layerd_fail(w->error, "invalid_input", NULL,
                           "The parameter %s is neither a number, a string nor a list.", name);
    return put(w, w->metadata, name, json_string(text));
}

static bool read_shape(const json_t *json, size_t shape[LAYERD_MAX_RANK]) {
    if (!json_is_array(json) || json_array_size(json) > LAYERD_MAX_RANK)
        return false;
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *dimension = json_array_get(json, i);
        if (!json_is_integer(dimension) || json_integer_value(dimension) < 0)
            return false;
        shape[i] = (size_t)json_integer_value(dimension);
    }
    return true;
}

static bool read_list(const json_t *data, layerd_tensor *tensor) {
    for (size_t i = 0; i < tensor->size; i++) {
        double value;
        if (!layerd_json_number(json_array_get(data, i), &value))
            return false;
        if (tensor->dtype == LAYERD_FLOAT32)
            tensor->f32[i] = (float)value;
        else
            tensor->f64[i] = value;
    }
    return true;
}

/* A list of numbers, or {"shape": [...], "data": [...]}, as a tensor. */
static bool put_list(request_writing *w, const char *name, const json_t *value) {
    const json_t *data = json_is_array(value) ? value : json_object_get(value, "data");
    size_t shape[LAYERD_MAX_RANK] = {json_array_size(data)}, size;
    int rank = json_is_array(value) ? 1 : (int)json_array_size(json_object_get(value, "shape"));
    layerd_tensor *tensor = NULL;
    bool good = json_is_array(value) || read_shape(json_object_get(value, "shape"), shape);
    good = good && layerd_shape_size(w->dtype, rank, shape, &size) && size == json_array_size(data);
    if (good && (tensor = layerd_tensor_make(w->dtype, rank, shape)) == NULL)
        return layerd_fail_memory(w->error);
    if (good && read_list(data, tensor))
        return layerd_answer_add(w->lists, name, tensor, w->error);
    layerd_tensor_free(tensor);
    return layerd_fail(w->error, "invalid_input", NULL,
                       "The parameter %s is no list of numbers, nor has it a shape and data.",
                       name);
}

static bool put_param(request_writing *w, const char *parent, const char *key, json_t *value);

static bool put_members(request_writing *w, const char *parent, json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (!put_param(w, parent, key, value))
            return false;
    }
    return true;
}

/* An object inside an object is none that an operation takes, unless it is a tensor. */
static bool put_param(request_writing *w, const char *parent, const char *key, json_t *value) {
    if (parent == NULL && json_is_object(value) && json_object_get(value, "data") == NULL)
        return put_members(w, key, value);
    char *name = full_name(parent, key);
    if (name == NULL)
        return layerd_fail_memory(w->error);
    bool list = json_is_array(value) || json_is_object(value);
    bool done = list ? put_list(w, name, value) : put_text(w, name, value);
    free(name);
    return done;
}

static bool place(request_writing *w, const char *name, const layerd_tensor *tensor) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    size_t end = w->offset + tensor->size * layerd_dtype_bytes(tensor->dtype);
    json_t *entry = json_pack("{ss so s[II]}", "dtype", dtype_names[tensor->dtype], "shape", shape,
                              "data_offsets", (json_int_t)w->offset, (json_int_t)end);
    w->tensors[w->count++] = (layerd_input){name, tensor};
    w->offset = end;
    return put(w, w->header, name, entry);
}

/* Gives all tensors of elements this wide their places. */
static bool place_wide(request_writing *w, size_t width) {
    const layerd_input *inputs = w->form->inputs;
    for (size_t i = 0; i < w->form->inputs_count; i++)
        if (layerd_dtype_bytes(inputs[i].tensor->dtype) == width &&
            !place(w, inputs[i].name, inputs[i].tensor))
            return false;
    for (size_t i = 0; i < w->lists->count; i++)
        if (layerd_dtype_bytes(w->lists->tensors[i].tensor->dtype) == width &&
            !place(w, w->lists->tensors[i].name, w->lists->tensors[i].tensor))
            return false;
    return true;
}

static bool put_graph(request_writing *w) {
    char *text = json_dumps(w->form->graph, JSON_COMPACT);
    if (text == NULL)
        return layerd_fail_memory(w->error);
    bool done = put(w, w->metadata, "graph", json_string(text));
    free(text);
    return done;
}

static bool build_metadata(request_writing *w) {
    const layerd_form *form = w->form;
    if (form->cache != NULL && !put(w, w->metadata, "cache", json_string(form->cache)))
        return false;
    for (size_t i = 0; i < form->kept_count; i++)
        if (!put(w, w->metadata, form->kept[i].name, json_string(form->kept[i].handle)))
            return false;
    return put_members(w, NULL, (json_t *)form->params) && (form->graph == NULL || put_graph(w));
}

static bool build_header(request_writing *w) {
    if (!build_metadata(w))
        return false;
    /* One more: of none there may be no memory. */
    w->tensors = calloc(w->form->inputs_count + w->lists->count + 1, sizeof *w->tensors);
    if (w->tensors == NULL)
        return layerd_fail_memory(w->error);
    /* The wider ones first: then each is aligned. */
    return (json_object_size(w->metadata) == 0 ||
            put(w, w->header, "__metadata__", json_incref(w->metadata))) &&
           place_wide(w, 8) && place_wide(w, 4) && place_wide(w, 1);
}

static bool write_file(const request_writing *w, layerd_buffer *body) {
    char *header = json_dumps(w->header, JSON_COMPACT);
    if (header == NULL)
        return layerd_fail_memory(w->error);
    size_t length = strlen(header), padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT;
    uint64_t padded = length + padding;
    layerd_buffer_reserve(body, LENGTH_BYTES + padded + w->offset);
    layerd_buffer_add(body, &padded, LENGTH_BYTES);
    layerd_buffer_add(body, header, length);
    layerd_buffer_add(body, "        ", padding);
    free(header);
    for (size_t i = 0; i < w->count; i++) {
        const layerd_tensor *tensor = w->tensors[i].tensor;
        layerd_buffer_add(body, tensor->data, tensor->size * layerd_dtype_bytes(tensor->dtype));
    }
    return !body->failed || layerd_fail_memory(w->error);
}

bool layerd_safetensors_encode(const layerd_form *form, layerd_dtype dtype, layerd_buffer *body,
                               layerd_error *error) {
    request_writing w = {.form = form,
                         .dtype = dtype,
                         .header = json_object(),
                         .metadata = json_object(),
                         .lists = calloc(1, sizeof *w.lists),
                         .error = error};
    bool done = w.header != NULL && w.metadata != NULL && w.lists != NULL;
    done = done ? build_header(&w) && write_file(&w, body) : layerd_fail_memory(error);
    json_decref(w.header);
    json_decref(w.metadata);
    layerd_answer_free(w.lists);
    free(w.tensors);
    return done;
}

/* ---- reading ----------------------------------------------------------------------------- */

typedef struct answer_reading {
    layerd_answer *answer;
    bool graph;
    const char *data; /* behind the header */
    size_t length;
    layerd_error *error;
} answer_reading;

/* Sets "bn_param.eps" as eps of the object bn_param, and so on at each dot. */
static bool set_value(const answer_reading *r, const char *name, json_t *value) {
    json_t *object = r->answer->values;
    for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
        json_t *parent = object;
        object = json_object_getn(parent, name, (size_t)(dot - name));
        if (object == NULL) {
            object = json_object();
            json_object_setn_new(parent, name, (size_t)(dot - name), object);
        }
    }
    return json_object_set_new(object, name, value) == 0 || layerd_fail_memory(r->error);
}

/* A text as the number that it is. A handle may look like one and is none. */
static json_t *text_value(const char *name, const char *text) {
    bool handle = strcmp(name, "cache") == 0 || strncmp(name, "kept.", strlen("kept.")) == 0;
    json_t *number = handle || strchr("-0123456789", *text) == NULL
                         ? NULL
                         : json_loads(text, JSON_DECODE_ANY, NULL);
    return number != NULL ? number : json_string(text);
}

static bool read_texts(const answer_reading *r, const json_t *metadata) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)metadata, name, value) {
        const char *text = json_string_value(value);
        if (text == NULL)
            return layerd_fail(r->error, "bad_answer", NULL, "The answer's %s is no string.", name);
        if (!set_value(r, name, text_value(name, text)))
            return false;
    }
    return true;
}

/* What a parameter has inside stays in it as JSON, too: it is small, and goes back with the next
 * request. */
static bool keep_list(const answer_reading *r, const char *name, const layerd_tensor *tensor) {
    if (r->graph || strchr(name, '.') == NULL || !layerd_is_float(tensor->dtype))
        return true;
    json_t *shape = json_array(), *data = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    for (size_t i = 0; i < tensor->size; i++) {
        double value = tensor->dtype == LAYERD_FLOAT32 ? (double)tensor->f32[i] : tensor->f64[i];
        json_array_append_new(data, isnan(value) ? json_string("NaN")
                                    : isinf(value)
                                        ? json_string(value > 0 ? "Infinity" : "-Infinity")
                                        : json_real(value));
    }
    return set_value(r, name, json_pack("{so so}", "shape", shape, "data", data));
}

static bool read_tensor(const answer_reading *r, const char *name, const json_t *entry) {
    const char *dtype_name = json_string_value(json_object_get(entry, "dtype"));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t shape[LAYERD_MAX_RANK], range[LAYERD_MAX_RANK] = {0}, size, dtype = 0;
    while (dtype_name != NULL && dtype < DTYPES && strcmp(dtype_names[dtype], dtype_name) != 0)
        dtype++;
    int rank = (int)json_array_size(json_object_get(entry, "shape"));
    if (dtype_name == NULL || dtype == DTYPES ||
        !read_shape(json_object_get(entry, "shape"), shape) ||
        !layerd_shape_size((layerd_dtype)dtype, rank, shape, &size) ||
        json_array_size(offsets) != 2 || !read_shape(offsets, range) || range[0] > range[1] ||
        range[1] > r->length ||
        range[1] - range[0] != size * layerd_dtype_bytes((layerd_dtype)dtype))
        return layerd_fail(r->error, "bad_answer", NULL,
                           "The tensor %s of the answer has a dtype, a shape and a place that do "
                           "not fit each other.",
                           name);
    layerd_tensor *tensor = layerd_tensor_make((layerd_dtype)dtype, rank, shape);
    if (tensor == NULL)
        return layerd_fail_memory(r->error);
    memcpy(tensor->data, r->data + range[0], range[1] - range[0]);
    return keep_list(r, name, tensor) ? layerd_answer_add(r->answer, name, tensor, r->error)
                                      : (layerd_tensor_free(tensor), false);
}

static bool read_header(const answer_reading *r, const json_t *header) {
    const char *name;
    json_t *value;
    if (!read_texts(r, json_object_get(header, "__metadata__")))
        return false;
    json_object_foreach((json_t *)header, name, value) {
        if (strcmp(name, "__metadata__") != 0 && !read_tensor(r, name, value))
            return false;
    }
    return true;
}

layerd_answer *layerd_safetensors_decode(const char *body, size_t length, bool graph,
                                         layerd_error *error) {
    uint64_t header_length = 0;
    if (length >= LENGTH_BYTES)
        memcpy(&header_length, body, LENGTH_BYTES);
    if (length < LENGTH_BYTES || header_length > length - LENGTH_BYTES) {
        layerd_fail(error, "bad_answer", NULL, "The answer is not a safetensors file.");
        return NULL;
    }
    json_error_t reason;
    json_t *header =
        json_loadb(body + LENGTH_BYTES, header_length, JSON_REJECT_DUPLICATES, &reason);
    answer_reading r = {.answer = calloc(1, sizeof *r.answer),
                        .graph = graph,
                        .data = body + LENGTH_BYTES + header_length,
                        .length = length - LENGTH_BYTES - header_length,
                        .error = error};
    if (r.answer != NULL)
        r.answer->values = json_object();
    /* Jansson has a reason for everything but a failed allocation. */
    bool done =
        r.answer != NULL && r.answer->values != NULL && (header != NULL || reason.text[0] != '\0');
    if (!done)
        layerd_fail_memory(error);
    else if (!json_is_object(header))
        done = layerd_fail(error, "bad_answer", NULL, "The answer's header is not a JSON object.");
    else
        done = read_header(&r, header);
    json_decref(header);
    if (done)
        return r.answer;
    layerd_answer_free(r.answer);
    return NULL;
}
