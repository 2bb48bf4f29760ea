/* What stands in a JSON document: tensors, numbers and texts. */
#include "codec/json_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_number_array *array_of(const json_document *document, const json_t *value) {
    return json_is_integer(value) ? &document->arrays[json_integer_value(value)] : NULL;
}

const char *json_plain_text(const json_t *value) {
    const char *text = json_string_value(value);
    return text && strlen(text) != json_string_length(value) ? "\\u0000" : text;
}

const char *json_kind(const json_document *document, const json_t *value) {
    const json_number_array *array = array_of(document, value);
    if (array)
        return *array->text == '[' ? "a list" : "a number";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

/* Turns labels, read as doubles, into integers in place. */
static bool to_integers(layers_tensor *tensor, double most, const char *pointer, problem *problem) {
    const double *number = tensor->data;
    int64_t *integer = tensor->data;
    for (size_t i = 0; i < tensor->size; i++) {
        if (!(fabs(number[i]) <= most) || number[i] != floor(number[i])) {
            char place[224];
            snprintf(place, sizeof place, "%s/%zu", pointer, i);
            return problem_set(problem, PROBLEM_WRONG_TYPE, tensor->rank ? place : pointer,
                               "%s is %.17g, but must be an integer%s",
                               tensor->rank ? place : pointer, number[i],
                               fabs(number[i]) > most ? " of at most 53 bits" : "");
        }
        integer[i] = (int64_t)number[i];
    }
    tensor->dtype = LAYERS_I64;
    return true;
}

/* Moves an array out of the document, reading it again where it was read in another dtype. */
static bool take(json_document *document, json_number_array *array, layers_dtype dtype,
                 const char *pointer, layers_tensor *tensor, problem *problem) {
    layers_dtype read = dtype == LAYERS_I64 ? LAYERS_F64 : dtype;
    if (array->tensor.dtype != read || !array->tensor.data) {
        json_cursor cursor = json_source_cursor(&document->source, array->text, array->end);
        layers_tensor_clear(&array->tensor);
        if (!json_array_read(&cursor, read, pointer, &array->tensor, problem))
            return false;
    }
    /* what is kept, or given back, must be what was sent: 2^53 may have been one more */
    double most = document->source.is_graph ? 0x1p53 - 1 : 0x1p53;
    if (dtype == LAYERS_I64 && !to_integers(&array->tensor, most, pointer, problem))
        return false;
    *tensor = array->tensor;
    array->tensor.data = NULL;
    array->tensor.buffer = NULL;
    return true;
}

static bool flat_shape(json_document *document, const json_t *value, const char *pointer,
                       size_t shape[LAYERS_MAX_RANK], int *rank, problem *problem) {
    char place[224];
    pointer_add(strcpy(place, pointer), sizeof place, "shape");
    json_number_array *array = array_of(document, value);
    if (!array)
        return problem_set(problem, PROBLEM_WRONG_TYPE, place,
                           "%s is %s, but must be a list of integers", place,
                           json_kind(document, value));
    layers_tensor lengths;
    if (!take(document, array, LAYERS_I64, place, &lengths, problem))
        return false;
    bool fits = lengths.rank <= 1 && lengths.size <= LAYERS_MAX_RANK;
    size_t size;
    *rank = fits ? (int)lengths.size : 0;
    for (int i = 0; i < *rank; i++) {
        int64_t length = ((const int64_t *)lengths.data)[i];
        shape[i] = (size_t)length;
        if (length < 0) {
            layers_tensor_clear(&lengths);
            return problem_set(problem, PROBLEM_INVALID_SHAPE, place,
                               "%s holds %lld, but a length cannot be negative", place,
                               (long long)length);
        }
    }
    layers_tensor_clear(&lengths);
    return (fits && layers_shape_size(shape, *rank, &size)) ||
           problem_set(problem, PROBLEM_INVALID_SHAPE, place,
                       "%s must be a list of at most %d lengths whose product is a possible size",
                       place, LAYERS_MAX_RANK);
}

/* "NaN" and its like. */
static bool word_of(const json_t *value, double *number) {
    const char *text = json_plain_text(value);
    return text && json_word_value(text, strlen(text), number);
}

static bool word_tensor(double number, layers_dtype dtype, const char *pointer,
                        layers_tensor *tensor, problem *problem) {
    layers_error error;
    if (layers_tensor_make(tensor, dtype, NULL, 0, &error) != LAYERS_OK)
        return problem_set_memory(problem, pointer);
    if (dtype == LAYERS_F32)
        *(float *)tensor->data = (float)number;
    else
        *(double *)tensor->data = number;
    return true;
}

/* Whether a value is a number or a list. */
static bool is_list(const json_document *document, const json_t *value, layers_dtype dtype) {
    double number;
    return array_of(document, value) || (dtype != LAYERS_I64 && word_of(value, &number));
}

static bool list_tensor(json_document *document, const json_t *value, layers_dtype dtype,
                        const char *pointer, layers_tensor *tensor, problem *problem) {
    json_number_array *array = array_of(document, value);
    double number = 0;
    if (array)
        return take(document, array, dtype, pointer, tensor, problem);
    word_of(value, &number);
    return word_tensor(number, dtype, pointer, tensor, problem);
}

/* The dtype that a flat tensor says, which must be the one that it is wanted in. */
static bool check_said(json_document *document, const json_t *value, layers_dtype dtype,
                       const char *pointer, problem *problem) {
    const char *said = json_plain_text(value), *wanted = layers_dtype_name(dtype);
    char place[224], text[48];
    if (said && !strcmp(said, wanted))
        return true;
    pointer_add(strcpy(place, pointer), sizeof place, "dtype");
    return said ? problem_set(problem, PROBLEM_WRONG_TYPE, place,
                              "%s is \"%s\", but the tensor is used as %s", place,
                              text_clip(text, sizeof text, said), wanted)
                : problem_set(problem, PROBLEM_WRONG_TYPE, place, "%s is %s, but must be \"int64\"",
                              place, json_kind(document, value));
}

bool json_says_integers(const json_t *value) {
    const char *said = json_plain_text(json_object_get(value, "dtype"));
    return said && !strcmp(said, layers_dtype_name(LAYERS_I64));
}

/* {"shape": [...], "data": [...]} */
static bool flat_tensor(json_document *document, const json_t *value, layers_dtype dtype,
                        const char *pointer, layers_tensor *tensor, problem *problem) {
    const char *key;
    json_t *member;
    char place[224];
    json_object_foreach((json_t *)value, key, member) {
        if (!strcmp(key, "shape") || !strcmp(key, "data"))
            continue;
        if (document->source.is_graph && !strcmp(key, "dtype")) {
            if (!check_said(document, member, dtype, pointer, problem))
                return false;
            continue;
        }
        char name[48];
        pointer_add(strcpy(place, pointer), sizeof place, text_clip(name, sizeof name, key));
        return problem_set(problem, PROBLEM_UNKNOWN_FIELD, place,
                           "\"%s\" is not a part of a tensor, which has \"shape\" and \"data\"",
                           name);
    }
    json_t *shape_value = json_object_get(value, "shape"), *data = json_object_get(value, "data");
    if (!shape_value || !data) {
        pointer_add(strcpy(place, pointer), sizeof place, shape_value ? "data" : "shape");
        return problem_set(
            problem, PROBLEM_MISSING_FIELD, place,
            "%s is missing: a tensor is a nested list, or has \"shape\" and \"data\"", place);
    }
    size_t shape[LAYERS_MAX_RANK], size;
    int rank = 0;
    if (!flat_shape(document, shape_value, pointer, shape, &rank, problem))
        return false;
    layers_shape_size(shape, rank, &size);
    pointer_add(strcpy(place, pointer), sizeof place, "data");
    if (!is_list(document, data, dtype))
        return problem_set(problem, PROBLEM_WRONG_TYPE, place,
                           "%s is %s, but must be a list of numbers", place,
                           json_kind(document, data));
    if (!list_tensor(document, data, dtype, place, tensor, problem))
        return false;
    if (tensor->rank <= 1 && tensor->size == size) {
        tensor->rank = rank;
        memcpy(tensor->shape, shape, (size_t)rank * sizeof *shape);
        return true;
    }
    char text[128];
    problem_set(problem, PROBLEM_INVALID_SHAPE, pointer,
                "%s has shape %s, which is %zu numbers in one list, but data has %zu%s", pointer,
                layers_shape_text(shape, rank, text, sizeof text), size, tensor->size,
                tensor->rank <= 1 ? "" : " in nested lists");
    layers_tensor_clear(tensor);
    return false;
}

bool json_tensor(json_document *document, const json_t *value, layers_dtype dtype,
                 const char *pointer, layers_tensor *tensor, problem *problem) {
    if (json_is_object(value))
        return flat_tensor(document, value, dtype, pointer, tensor, problem);
    if (is_list(document, value, dtype))
        return list_tensor(document, value, dtype, pointer, tensor, problem);
    return problem_set(problem, PROBLEM_WRONG_TYPE, pointer,
                       "%s is %s, but must be a nested list of numbers, or have \"shape\" and "
                       "\"data\"",
                       pointer, json_kind(document, value));
}

bool json_double(json_document *document, const json_t *value, const char *pointer, double *number,
                 problem *problem) {
    json_number_array *array = array_of(document, value);
    layers_tensor scalar;
    if (word_of(value, number))
        return true;
    if (!array || *array->text == '[')
        return problem_set(problem, PROBLEM_WRONG_TYPE, pointer, "%s is %s, but must be a number",
                           pointer, json_kind(document, value));
    if (!take(document, array, LAYERS_F64, pointer, &scalar, problem))
        return false;
    *number = *(double *)scalar.data;
    layers_tensor_clear(&scalar);
    return true;
}
