/* The JSON form of requests and answers, with tensors flat: {"shape": [2, 3], "data": [...]}. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* More than the longest number and the comma after it: -2.2250738585072014e-308, */
enum { NUMBER_ROOM = 40 };

/* ---- writing ----------------------------------------------------------------------------- */

/* Enough digits to read back to the same value: 17 for a double, 9 for a float. */
static int print_float(char *text, double value, int digits) {
    if (isnan(value))
        return sprintf(text, "\"NaN\"");
    if (isinf(value))
        return sprintf(text, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    if (value == 0)
        return sprintf(text, signbit(value) ? "-0.0" : "0");
    /* Whole numbers are frequent (pixels, counts) and printf's %g takes ten times as long. */
    if (fabs(value) < 1e6 && value == (double)(int)value)
        return sprintf(text, "%d", (int)value);
    return sprintf(text, "%.*g", digits, value);
}

static int print_element(char *text, const layerd_tensor *tensor, size_t i) {
    switch (tensor->dtype) {
    case LAYERD_FLOAT32:
        return print_float(text, tensor->f32[i], 9);
    case LAYERD_FLOAT64:
        return print_float(text, tensor->f64[i], 17);
    case LAYERD_INT64:
        return sprintf(text, "%" PRId64, tensor->i64[i]);
    }
    return 0;
}

static void put_tensor(layerd_buffer *body, const layerd_tensor *tensor) {
    layerd_buffer_text(body, "{\"shape\":[");
    for (int i = 0; i < tensor->rank; i++) {
        char text[NUMBER_ROOM];
        snprintf(text, sizeof text, i == 0 ? "%zu" : ",%zu", tensor->shape[i]);
        layerd_buffer_text(body, text);
    }
    layerd_buffer_text(body, "],\"data\":[");
    for (size_t i = 0; i < tensor->size; i++) {
        char *text = layerd_buffer_reserve(body, NUMBER_ROOM);
        if (text == NULL)
            return;
        int length = 0;
        if (i > 0)
            text[length++] = ',';
        length += print_element(text + length, tensor, i);
        body->length += (size_t)length;
    }
    layerd_buffer_text(body, "]}");
}

/* Names and params come from the caller: Jansson escapes them, and makes no string of what is not
 * UTF-8. It does not tell that from a lack of memory. */
static bool put_json(layerd_buffer *body, const json_t *json, layerd_error *error) {
    if (json == NULL)
        return layerd_fail(error, "invalid_input", NULL,
                           "A name or the cache handle is not UTF-8, or memory is short.");
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
        return layerd_fail_memory(error);
    layerd_buffer_text(body, text);
    free(text);
    return true;
}

static bool put_key(layerd_buffer *body, const char *name, size_t length, layerd_error *error) {
    const char last = body->length > 0 ? body->data[body->length - 1] : '{';
    if (last != '{')
        layerd_buffer_text(body, ",");
    json_t *key = json_stringn(name, length);
    bool done = put_json(body, key, error);
    json_decref(key);
    layerd_buffer_text(body, ":");
    return done;
}

/* Is `name` a name inside the object `prefix`, "bn_param.eps" in "bn_param"? */
static const char *inside(const char *name, const char *prefix, size_t length) {
    return strncmp(name, prefix, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
}

/* One parameter object: the members of `params`, then the tensors named inside it. */
static bool put_object(layerd_buffer *body, const char *prefix, size_t length, const json_t *params,
                       const layerd_request *request, layerd_error *error) {
    if (!put_key(body, prefix, length, error))
        return false;
    layerd_buffer_text(body, "{");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)params, key, value) {
        if (!put_key(body, key, strlen(key), error) || !put_json(body, value, error))
            return false;
    }
    for (size_t i = 0; i < LAYERD_MAX_INPUTS && request->inputs[i].name != NULL; i++) {
        const char *name = inside(request->inputs[i].name, prefix, length);
        if (name == NULL)
            continue;
        if (!put_key(body, name, strlen(name), error))
            return false;
        put_tensor(body, request->inputs[i].tensor);
    }
    layerd_buffer_text(body, "}");
    return true;
}

static bool put_params(layerd_buffer *body, const layerd_request *request, layerd_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)request->params, key, value) {
        if (json_is_object(value)) {
            if (!put_object(body, key, strlen(key), value, request, error))
                return false;
        } else if (!put_key(body, key, strlen(key), error) || !put_json(body, value, error)) {
            return false;
        }
    }
    return true;
}

/* Has the object that input `i` is inside of been written, by put_params or for an earlier one? */
static bool written(const layerd_request *request, size_t i, size_t length) {
    const char *name = request->inputs[i].name;
    for (size_t j = 0; j < i; j++)
        if (inside(request->inputs[j].name, name, length) != NULL)
            return true;
    return json_is_object(json_object_getn(request->params, name, length));
}

static bool put_inputs(layerd_buffer *body, const layerd_request *request, layerd_error *error) {
    for (size_t i = 0; i < LAYERD_MAX_INPUTS && request->inputs[i].name != NULL; i++) {
        const char *name = request->inputs[i].name, *dot = strchr(name, '.');
        if (dot == NULL) {
            if (!put_key(body, name, strlen(name), error))
                return false;
            put_tensor(body, request->inputs[i].tensor);
            continue;
        }
        size_t length = (size_t)(dot - name);
        if (!written(request, i, length) && !put_object(body, name, length, NULL, request, error))
            return false;
    }
    return true;
}

static bool put_string(layerd_buffer *body, const char *key, const char *text,
                       layerd_error *error) {
    json_t *json = json_string(text);
    bool done = put_key(body, key, strlen(key), error) && put_json(body, json, error);
    json_decref(json);
    return done;
}

bool layerd_json_encode(const layerd_request *request, layerd_dtype dtype, layerd_buffer *body,
                        layerd_error *error) {
    layerd_buffer_text(body, "{");
    if (dtype == LAYERD_FLOAT32 && !put_string(body, "dtype", "float32", error))
        return false;
    if (request->cache != NULL && !put_string(body, "cache", request->cache, error))
        return false;
    if (!put_params(body, request, error) || !put_inputs(body, request, error))
        return false;
    layerd_buffer_text(body, "}");
    return !body->failed || layerd_fail_memory(error);
}

/* ---- reading ----------------------------------------------------------------------------- */

bool layerd_json_number(const json_t *json, double *number) {
    if (json_is_number(json)) {
        *number = json_number_value(json);
        return true;
    }
    const char *text = json_string_value(json);
    if (text == NULL)
        return false;
    if (strcmp(text, "NaN") == 0)
        *number = NAN;
    else if (strcmp(text, "Infinity") == 0)
        *number = INFINITY;
    else if (strcmp(text, "-Infinity") == 0)
        *number = -INFINITY;
    else
        return false;
    return true;
}

/* The float of a decimal that Jansson has already rounded to a double. The second rounding can go
 * the wrong way only where the first one landed in the middle between two floats (7.038531e-26
 * does). There the decimal, which has no more than 9 digits, is read again from its digits. */
static float to_float(double value) {
    float near = (float)value;
    if ((double)near == value || isnan(value))
        return near;
    float other = nextafterf(near, value > near ? INFINITY : -INFINITY);
    if (((double)near + (double)other) / 2 != value)
        return near;
    char text[NUMBER_ROOM];
    snprintf(text, sizeof text, "%.9g", value);
    return strtof(text, NULL);
}

static bool is_flat(const json_t *json) {
    return json_is_array(json_object_get(json, "shape")) && json_object_get(json, "data") != NULL;
}

static bool read_shape(const json_t *json, size_t *shape) {
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *dimension = json_array_get(json, i);
        if (!json_is_integer(dimension) || json_integer_value(dimension) < 0)
            return false;
        shape[i] = (size_t)json_integer_value(dimension);
    }
    return true;
}

static bool read_data(const json_t *data, layerd_tensor *tensor) {
    for (size_t i = 0; i < tensor->size; i++) {
        double value;
        if (!layerd_json_number(json_array_get(data, i), &value))
            return false;
        if (tensor->dtype == LAYERD_FLOAT32)
            tensor->f32[i] = to_float(value);
        else
            tensor->f64[i] = value;
    }
    return true;
}

static bool read_tensor(layerd_answer *answer, const char *prefix, const char *name,
                        const json_t *json, layerd_dtype dtype, layerd_error *error) {
    const json_t *dimensions = json_object_get(json, "shape");
    const json_t *data = json_object_get(json, "data");
    size_t shape[LAYERD_MAX_RANK], size;
    int rank = (int)json_array_size(dimensions);
    /* The size is believed only once as many numbers have come. */
    if (json_array_size(dimensions) > LAYERD_MAX_RANK || !read_shape(dimensions, shape) ||
        !layerd_shape_size(dtype, rank, shape, &size) || size != json_array_size(data))
        return layerd_fail(error, "bad_answer", NULL,
                           "The tensor %s of the answer has a shape that its data does not fit.",
                           name);
    layerd_tensor *tensor = layerd_tensor_make(dtype, rank, shape);
    if (tensor == NULL)
        return layerd_fail_memory(error);
    if (!read_data(data, tensor)) {
        layerd_tensor_free(tensor);
        return layerd_fail(error, "bad_answer", NULL,
                           "The tensor %s of the answer holds something that is not a number.",
                           name);
    }
    return layerd_answer_add(answer, prefix, name, tensor, error);
}

static bool read_members(layerd_answer *answer, layerd_dtype dtype, layerd_error *error) {
    const char *key, *inner_key;
    json_t *value, *inner;
    void *next;
    json_object_foreach_safe(answer->values, next, key, value) {
        if (is_flat(value)) {
            if (!read_tensor(answer, NULL, key, value, dtype, error))
                return false;
            /* As JSON it takes ten times the memory. Those inside parameters stay: they are small
             * and go back with the next request. */
            json_object_del(answer->values, key);
            continue;
        }
        json_object_foreach(value, inner_key, inner) {
            if (is_flat(inner) && !read_tensor(answer, key, inner_key, inner, dtype, error))
                return false;
        }
    }
    return true;
}

layerd_answer *layerd_json_decode(const char *body, size_t length, layerd_dtype dtype,
                                  layerd_error *error) {
    json_error_t reason;
    json_t *values = json_loadb(body, length, JSON_REJECT_DUPLICATES, &reason);
    /* Jansson has a reason for everything but a failed allocation. */
    if (values == NULL && reason.text[0] == '\0') {
        layerd_fail_memory(error);
        return NULL;
    }
    if (!json_is_object(values)) {
        layerd_fail(error, "bad_answer", NULL, "The answer is not a JSON object: %s.",
                    values == NULL ? reason.text : "it is something else");
        json_decref(values);
        return NULL;
    }
    layerd_answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) {
        json_decref(values);
        layerd_fail_memory(error);
        return NULL;
    }
    answer->values = values;
    if (read_members(answer, dtype, error))
        return answer;
    layerd_answer_free(answer);
    return NULL;
}
