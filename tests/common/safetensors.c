#include "safetensors.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* ---- from JSON ------------------------------------------------------------------------------ */

enum { RANK_MOST = 32 };

typedef struct {
    const char *dtype; /* of values */
    const char *labels;
    json_t *header, *metadata;
    char *data;
    size_t length, capacity;
} file_writing;

/* A tensor on its way into bytes. */
typedef struct {
    const char *dtype;
    size_t shape[RANK_MOST], rank;
    bool ranked; /* a number has been reached, so that the rank is known */
    file_writing *file;
} tensor_writing;

static bool number_of(const json_t *value, double *number) {
    const char *word = json_string_value(value);
    *number = word && !strcmp(word, "NaN")         ? NAN
              : word && !strcmp(word, "Infinity")  ? INFINITY
              : word && !strcmp(word, "-Infinity") ? -INFINITY
                                                   : json_number_value(value);
    return json_is_number(value) || (word && !isfinite(*number));
}

static void put(file_writing *file, const void *bytes, size_t length) {
    if (file->capacity - file->length < length) {
        file->capacity = 2 * file->capacity + length;
        file->data = realloc(file->data, file->capacity);
        if (!file->data)
            abort();
    }
    memcpy(file->data + file->length, bytes, length);
    file->length += length;
}

static bool put_number(tensor_writing *tensor, const json_t *value) {
    double number;
    if (!number_of(value, &number))
        return false;
    float f32 = (float)number;
    if (!strcmp(tensor->dtype, "F64")) {
        put(tensor->file, &number, sizeof number);
        return true;
    }
    if (!strcmp(tensor->dtype, "F32")) {
        put(tensor->file, &f32, sizeof f32);
        return isfinite(number) == isfinite(f32);
    }
    double most = !strcmp(tensor->dtype, "I64")   ? 0x1p53
                  : !strcmp(tensor->dtype, "I32") ? 0x1p31 - 1
                                                  : 255;
    if (number != floor(number) || number > most ||
        number < (*tensor->dtype == 'U' ? 0 : -most - 1))
        return false;
    int64_t i64 = (int64_t)number; /* little-endian: its first bytes are the smaller integers */
    put(tensor->file, &i64, (size_t)(most == 0x1p53 ? 8 : most == 255 ? 1 : 4));
    return true;
}

static bool put_list(tensor_writing *tensor, const json_t *value, size_t axis) {
    if (!json_is_array(value)) {
        bool fits = !tensor->ranked || axis == tensor->rank;
        tensor->rank = axis;
        tensor->ranked = true;
        return fits && put_number(tensor, value);
    }
    size_t length = json_array_size(value);
    if (axis == RANK_MOST || (tensor->ranked && axis >= tensor->rank))
        return false;
    if (axis < tensor->rank && tensor->shape[axis] != length)
        return false;
    tensor->shape[axis] = length;
    tensor->rank = axis + 1 > tensor->rank ? axis + 1 : tensor->rank;
    for (size_t i = 0; i < length; i++)
        if (!put_list(tensor, json_array_get(value, i), axis + 1))
            return false;
    return true;
}

static bool put_flat(tensor_writing *tensor, const json_t *value) {
    const json_t *shape = json_object_get(value, "shape"), *data = json_object_get(value, "data");
    size_t size = 1;
    tensor->rank = json_array_size(shape);
    if (json_object_size(value) != 2 || !json_is_array(data) || tensor->rank > RANK_MOST)
        return false;
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *length = json_array_get(shape, i);
        if (!json_is_integer(length) || json_integer_value(length) < 0)
            return false;
        tensor->shape[i] = (size_t)json_integer_value(length);
        size *= tensor->shape[i];
    }
    for (size_t i = 0; i < json_array_size(data); i++)
        if (!put_number(tensor, json_array_get(data, i)))
            return false;
    return size == json_array_size(data);
}

/* Labels as they are wanted; a mask is bytes where labels are, else of the dtype of values. */
static const char *dtype_of(const file_writing *file, const char *name) {
    bool mask = strstr(name, ".mask") && !strcmp(file->labels, "U8");
    return !strcmp(name, "y") || mask ? file->labels : file->dtype;
}

/* Adds nothing where the value is no tensor of this dtype. */
static bool add_typed(file_writing *file, const char *name, const json_t *value,
                      const char *dtype) {
    tensor_writing tensor = {.file = file, .dtype = dtype};
    size_t start = file->length;
    if (!(json_is_object(value) ? put_flat(&tensor, value) : put_list(&tensor, value, 0))) {
        file->length = start;
        return false;
    }
    json_t *shape = json_array();
    for (size_t i = 0; i < tensor.rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor.shape[i]));
    return json_object_set_new(file->header, name,
                               json_pack("{ss so s[II]}", "dtype", tensor.dtype, "shape", shape,
                                         "data_offsets", (json_int_t)start,
                                         (json_int_t)file->length)) == 0;
}

/* A tensor, or the handle of one. */
static bool add_tensor(file_writing *file, const char *name, const json_t *value) {
    json_t *handle = json_object_get(value, "tensor");
    return handle ? json_is_string(handle) && json_object_set(file->metadata, name, handle) == 0
                  : add_typed(file, name, value, dtype_of(file, name));
}

/* Whether a member is an object of parameters, by its name. */
static bool holds_params(const char *key) {
    return !strcmp(key, "config") || (strlen(key) > 6 && !strcmp(key + strlen(key) - 6, "_param"));
}

/* A member of bn_param, dropout_param, config ... */
static bool add_param(file_writing *file, const char *parent, const char *key,
                      const json_t *value) {
    char name[128], text[32];
    snprintf(name, sizeof name, "%s.%s", parent, key);
    if (json_is_array(value) || json_is_object(value))
        return add_tensor(file, name, value);
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    return (json_is_string(value) || json_is_number(value)) &&
           json_object_set_new(
               file->metadata, name,
               json_string(json_is_string(value) ? json_string_value(value) : text)) == 0;
}

static bool add_member(file_writing *file, const char *key, json_t *value) {
    bool text = !strcmp(key, "dtype") || !strcmp(key, "cache");
    const char *inner;
    json_t *member;
    if (text)
        return json_is_string(value) && json_object_set(file->metadata, key, value) == 0;
    if (!holds_params(key))
        return add_tensor(file, key, value);
    json_object_foreach(value, inner,
                        member) if (!add_param(file, key, inner, member)) return false;
    return json_is_object(value);
}

/* Values before labels, so that they are aligned. */
static bool add_members(file_writing *file, json_t *request) {
    const char *key;
    json_t *value;
    json_object_foreach(request, key, value) if (strcmp(key, "y") != 0 &&
                                                 !add_member(file, key, value)) return false;
    value = json_object_get(request, "y");
    return !value || add_member(file, "y", value);
}

static char *join(const file_writing *file, size_t *length) {
    char *text = json_dumps(file->header, JSON_COMPACT);
    uint64_t header = text ? (strlen(text) + 7) / 8 * 8 : 0;
    char *bytes = malloc(8 + header + file->length);
    if (!text || !bytes)
        abort();
    memcpy(bytes, &header, 8);
    memset(bytes + 8, ' ', header);
    memcpy(bytes + 8, text, strlen(text));
    if (file->length > 0)
        memcpy(bytes + 8 + header, file->data, file->length);
    *length = 8 + header + file->length;
    free(text);
    return bytes;
}

static file_writing begin(const json_t *request, const char *labels) {
    const char *dtype = json_string_value(json_object_get(request, "dtype"));
    return (file_writing){.labels = labels,
                          .dtype = dtype && !strcmp(dtype, "float32") ? "F32" : "F64",
                          .header = json_object(),
                          .metadata = json_object()};
}

static char *finish(file_writing *file, bool good, size_t *length) {
    if (json_object_size(file->metadata) > 0)
        json_object_set(file->header, "__metadata__", file->metadata);
    char *bytes = good ? join(file, length) : NULL;
    json_decref(file->header);
    json_decref(file->metadata);
    free(file->data);
    return bytes;
}

char *safetensors_from_json(const json_t *request, const char *labels, size_t *length) {
    file_writing file = begin(request, labels);
    return finish(&file, json_is_object(request) && add_members(&file, (json_t *)request), length);
}

static bool says_labels(const json_t *input) {
    const char *dtype = json_string_value(json_object_get(input, "dtype"));
    return dtype && !strcmp(dtype, "int64");
}

/* Whether a node takes that input as labels, or it says so itself. */
static bool is_labels(const json_t *document, const char *name, const json_t *input) {
    const json_t *nodes = json_object_get(document, "nodes");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const char *y = json_string_value(json_object_get(json_array_get(nodes, i), "y"));
        if (y && !strcmp(y, name))
            return true;
    }
    return says_labels(input);
}

/* The inputs that are labels, or those that are not, as far as they are tensors; what is in the
 * file leaves the document. */
static void move_inputs(file_writing *file, json_t *document, bool labels) {
    json_t *inputs = json_object_get(document, "inputs"), *value;
    const char *name;
    void *next;
    json_object_foreach_safe(inputs, next, name, value) {
        json_t *plain = json_copy(value);
        if (says_labels(value))
            json_object_del(plain, "dtype");
        if (is_labels(document, name, value) == labels &&
            add_typed(file, name, plain, labels ? file->labels : file->dtype))
            json_object_del(inputs, name);
        json_decref(plain);
    }
}

char *safetensors_from_graph(const json_t *document, const char *labels, size_t *length) {
    file_writing file = begin(document, labels);
    json_t *rest = json_deep_copy(document);
    move_inputs(&file, rest, false);
    move_inputs(&file, rest, true);
    char *text = json_dumps(rest, JSON_COMPACT | JSON_REAL_PRECISION(17));
    bool good = text && json_object_set_new(file.metadata, "graph", json_string(text)) == 0;
    free(text);
    json_decref(rest);
    return finish(&file, good, length);
}

/* ---- to JSON -------------------------------------------------------------------------------- */

/* Tensors whose bytes are still to be read. */
typedef struct {
    const char *data;
    size_t used, length;
} data_reading;

static json_t *number_json(double number) {
    return isnan(number)   ? json_string("NaN")
           : isinf(number) ? json_string(number > 0 ? "Infinity" : "-Infinity")
                           : json_real(number);
}

static json_t *next_number(data_reading *data, const char *dtype) {
    double number;
    float narrow;
    int64_t integer;
    void *to = !strcmp(dtype, "F32")   ? (void *)&narrow
               : !strcmp(dtype, "I64") ? (void *)&integer
                                       : (void *)&number;
    size_t bytes = to == &narrow ? sizeof narrow : sizeof number;
    if (data->length - data->used < bytes)
        return NULL;
    memcpy(to, data->data + data->used, bytes);
    data->used += bytes;
    return to == &integer ? json_integer(integer)
                          : number_json(to == &narrow ? (double)narrow : number);
}

static json_t *nested(data_reading *data, const char *dtype, const json_t *shape, size_t axis) {
    if (axis == json_array_size(shape))
        return next_number(data, dtype);
    json_t *list = json_array();
    json_int_t length = json_integer_value(json_array_get(shape, axis));
    for (json_int_t i = 0; i < length; i++)
        if (json_array_append_new(list, nested(data, dtype, shape, axis + 1)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *flat_tensor(data_reading *data, const char *dtype, json_t *shape) {
    json_int_t size = 1;
    for (size_t i = 0; i < json_array_size(shape); i++)
        size *= json_integer_value(json_array_get(shape, i));
    json_t *one = json_pack("[I]", size);
    json_t *list = nested(data, dtype, one, 0);
    json_decref(one);
    return json_pack("{sO so ss*}", "shape", shape, "data", list, "dtype",
                     strcmp(dtype, "I64") ? NULL : "int64");
}

static json_t *tensor_json(data_reading *data, const json_t *entry, bool flat) {
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (!dtype ||
        (strcmp(dtype, "F64") != 0 && strcmp(dtype, "F32") != 0 && strcmp(dtype, "I64") != 0) ||
        !json_is_array(shape) || json_object_size(entry) != 3 ||
        json_integer_value(json_array_get(offsets, 0)) != (json_int_t)data->used)
        return NULL;
    json_t *tensor = flat ? flat_tensor(data, dtype, shape) : nested(data, dtype, shape, 0);
    if (json_integer_value(json_array_get(offsets, 1)) == (json_int_t)data->used)
        return tensor;
    json_decref(tensor);
    return NULL;
}

/* A text as the value that it stands for. A handle may look like a number. */
static json_t *text_json(const char *name, const char *text) {
    char *end;
    if (!strcmp(name, "cache") || !strncmp(name, "kept.", 5) || !strcmp(text, "NaN") ||
        strstr(text, "Infinity"))
        return json_string(text);
    long long integer = strtoll(text, &end, 10);
    if (*text && !*end)
        return json_integer(integer);
    double number = strtod(text, &end);
    return *text && !*end ? json_real(number) : json_string(text);
}

/* Sets "bn_param.eps" as eps of the object bn_param. */
static bool set_dotted(json_t *object, const char *name, json_t *value) {
    const char *dot = strchr(name, '.');
    char parent[64];
    if (!dot)
        return json_object_set_new(object, name, value) == 0;
    snprintf(parent, sizeof parent, "%.*s", (int)(dot - name), name);
    if (!json_object_get(object, parent))
        json_object_set_new(object, parent, json_object());
    return json_object_set_new(json_object_get(object, parent), dot + 1, value) == 0;
}

static bool fill(json_t *answer, json_t *header, data_reading *data, bool flat) {
    const char *name;
    json_t *value;
    json_object_foreach(
        json_object_get(header, "__metadata__"), name,
        value) if (!json_is_string(value) ||
                   !set_dotted(answer, name,
                               text_json(name, json_string_value(value)))) return false;
    json_object_foreach(
        header, name,
        value) if (strcmp(name, "__metadata__") != 0 &&
                   !set_dotted(answer, name, tensor_json(data, value, flat))) return false;
    return data->used == data->length;
}

json_t *safetensors_to_json(const char *bytes, size_t length, bool flat) {
    uint64_t header_length;
    if (length < 8)
        return NULL;
    memcpy(&header_length, bytes, 8);
    if (header_length % 8 != 0 || header_length > length - 8)
        return NULL;
    json_t *header = json_loadb(bytes + 8, header_length, JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = json_object();
    data_reading data = {bytes + 8 + header_length, 0, length - 8 - header_length};
    if (!header || bytes[8] != '{' || !fill(answer, header, &data, flat)) {
        json_decref(answer);
        answer = NULL;
    }
    json_decref(header);
    return answer;
}
