/* safetensors files: the header against the bytes, and tensors in place. */
#include "codec/safetensors_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_recent.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

enum {
    LENGTH_BYTES = 8,
    POINTER = 192,
    NAME = 64, /* of a name, in a sentence */
};

static const safetensors_dtype dtypes[] = {
    {"F64", 8, true, LAYERS_F64},    {"F32", 4, true, LAYERS_F32},
    {"I64", 8, true, LAYERS_I64},    {"I32", 4, true, LAYERS_I64},
    {"U8", 1, true, LAYERS_I64},     {.name = "BOOL", .bytes = 1},
    {.name = "I8", .bytes = 1},      {.name = "F8_E4M3", .bytes = 1},
    {.name = "F8_E5M2", .bytes = 1}, {.name = "F8_E8M0", .bytes = 1},
    {.name = "I16", .bytes = 2},     {.name = "U16", .bytes = 2},
    {.name = "F16", .bytes = 2},     {.name = "BF16", .bytes = 2},
    {.name = "U32", .bytes = 4},     {.name = "U64", .bytes = 8},
    {.name = "C64", .bytes = 8},
};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

const char *safetensors_pointer(const char *name, char *pointer, size_t size) {
    char step[NAME];
    pointer[0] = '\0';
    for (;;) {
        size_t length = strcspn(name, ".");
        snprintf(step, sizeof step, "%.*s", (int)(length < NAME ? length : NAME), name);
        pointer_add(pointer, size, step);
        if (!name[length])
            return pointer;
        name += length + 1;
    }
}

/* ---- the header ---------------------------------------------------------------------------- */

/* The header's text; its length goes to *length. */
static const char *header_text(const char *bytes, size_t length, size_t most, size_t *header,
                               problem *problem) {
    uint64_t said;
    if (length < LENGTH_BYTES) {
        problem_set(problem, PROBLEM_INVALID_SAFETENSORS, NULL,
                    "the body has %zu bytes, but a safetensors file starts with %d that tell the "
                    "length of its header",
                    length, LENGTH_BYTES);
        return NULL;
    }
    memcpy(&said, bytes, sizeof said);
    if (said > length - LENGTH_BYTES) {
        problem_set(problem, PROBLEM_INVALID_SAFETENSORS, NULL,
                    "the first %d bytes say that the header has %llu, but %zu follow them",
                    LENGTH_BYTES, (unsigned long long)said, length - LENGTH_BYTES);
        return NULL;
    }
    if (said > most) {
        problem_set(problem, PROBLEM_BODY_TOO_LARGE, NULL,
                    "the header has %llu bytes, and %zu are allowed", (unsigned long long)said,
                    most);
        return NULL;
    }
    if (said == 0 || bytes[LENGTH_BYTES] != '{') {
        problem_set(problem, PROBLEM_INVALID_SAFETENSORS, NULL,
                    "the header must be a JSON object, which starts with '{' at byte %d",
                    LENGTH_BYTES);
        return NULL;
    }
    *header = (size_t)said;
    return bytes + LENGTH_BYTES;
}

/* The header is no JSON, at `offset` in its text. Always false. */
static bool malformed(const char *reason, size_t offset, problem *problem) {
    char text[160];
    problem_set(problem, PROBLEM_INVALID_SAFETENSORS, NULL, "the header is not valid JSON: %s",
                text_clip(text, sizeof text, reason));
    problem->has_place = true;
    problem->offset = LENGTH_BYTES + offset;
    return false;
}

static bool parse_header(safetensors_file *file, const char *text, size_t length,
                         problem *problem) {
    json_error_t error;
    const char *zero = memchr(text, '\0', length);
    if (zero) /* Jansson 2.14 overlooks it behind a number */
        return malformed("it has a zero byte", (size_t)(zero - text), problem);
    file->header = json_recent_load(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!file->header && json_error_code(&error) == json_error_out_of_memory)
        return problem_set_memory(problem, "the header");
    return file->header || malformed(error.text, (size_t)error.position, problem);
}

/* ---- its entries --------------------------------------------------------------------------- */

/* One entry at hand. */
typedef struct {
    safetensors_entry *entry;
    char pointer[POINTER];
    char name[NAME]; /* for sentences */
    problem *problem;
} entry_reading;

static bool wrong(entry_reading *r, const char *part, const char *what) {
    return problem_set(r->problem, PROBLEM_INVALID_SAFETENSORS, r->pointer, "%s of %s %s", part,
                       r->name, what);
}

static bool read_dtype(entry_reading *r, const json_t *value) {
    const char *name = json_string_value(value);
    if (!name)
        return wrong(r, "dtype", "must be there, and a string");
    for (size_t i = 0; i < DTYPES; i++)
        if (!strcmp(name, dtypes[i].name)) {
            r->entry->dtype = &dtypes[i];
            return true;
        }
    char text[48];
    return problem_set(r->problem, PROBLEM_INVALID_SAFETENSORS, r->pointer,
                       "dtype of %s is \"%s\", which is not one of safetensors that are read here",
                       r->name, text_clip(text, sizeof text, name));
}

/* An integer that is not negative. */
static bool read_size(const json_t *value, size_t *size) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *size = (size_t)json_integer_value(value);
    return true;
}

static bool read_shape(entry_reading *r, const json_t *value) {
    safetensors_entry *entry = r->entry;
    size_t rank = json_array_size(value);
    if (!json_is_array(value))
        return wrong(r, "shape", "must be there, and a list of integers");
    if (rank > LAYERS_MAX_RANK)
        return problem_set(r->problem, PROBLEM_INVALID_SHAPE, r->pointer,
                           "%s has %zu dimensions, and %d are allowed", r->name, rank,
                           LAYERS_MAX_RANK);
    entry->rank = (int)rank;
    for (size_t i = 0; i < rank; i++)
        if (!read_size(json_array_get(value, i), &entry->shape[i]))
            return wrong(r, "shape", "must be a list of integers, none negative");
    return layers_shape_size(entry->shape, entry->rank, &entry->size) ||
           wrong(r, "shape", "has a product that is too large");
}

/* The bytes of an entry, from the start of the tensors' bytes, of which there are `room`. */
static bool read_offsets(entry_reading *r, const json_t *value, size_t room) {
    safetensors_entry *entry = r->entry;
    size_t want;
    if (json_array_size(value) != 2 || !read_size(json_array_get(value, 0), &entry->begin) ||
        !read_size(json_array_get(value, 1), &entry->end))
        return wrong(r, "data_offsets", "must be there, and two integers, none negative");
    if (entry->begin > entry->end || entry->end > room)
        return problem_set(r->problem, PROBLEM_INVALID_SAFETENSORS, r->pointer,
                           "data_offsets of %s are %zu and %zu, but must rise and lie within the "
                           "%zu bytes behind the header",
                           r->name, entry->begin, entry->end, room);
    if (__builtin_mul_overflow(entry->size, entry->dtype->bytes, &want))
        return wrong(r, "shape", "has a product that is too large");
    char shape[128];
    return want == entry->end - entry->begin ||
           problem_set(r->problem, PROBLEM_INVALID_SAFETENSORS, r->pointer,
                       "%s is %s of shape %s, which is %zu bytes, but its data_offsets hold %zu",
                       r->name, entry->dtype->name,
                       layers_shape_text(entry->shape, entry->rank, shape, sizeof shape), want,
                       entry->end - entry->begin);
}

static bool read_entry(safetensors_entry *entry, const char *name, json_t *value, size_t room,
                       problem *problem) {
    entry_reading r = {.entry = entry, .problem = problem};
    entry->name = name;
    safetensors_pointer(name, r.pointer, sizeof r.pointer);
    text_clip(r.name, sizeof r.name, name);
    if (!read_dtype(&r, json_object_get(value, "dtype")) ||
        !read_shape(&r, json_object_get(value, "shape")) ||
        !read_offsets(&r, json_object_get(value, "data_offsets"), room))
        return false;
    return json_object_size(value) == 3 ||
           problem_set(problem, PROBLEM_INVALID_SAFETENSORS, r.pointer,
                       "%s has %zu parts, but must have dtype, shape and data_offsets alone",
                       r.name, json_object_size(value));
}

static bool read_metadata(safetensors_file *file, json_t *metadata, problem *problem) {
    const char *key;
    json_t *value;
    file->metadata = metadata;
    if (!json_is_object(metadata))
        return problem_set(problem, PROBLEM_INVALID_SAFETENSORS, "/__metadata__",
                           "__metadata__ must be an object of strings");
    json_object_foreach(metadata, key, value) {
        char pointer[POINTER] = "/__metadata__", name[NAME];
        text_clip(name, sizeof name, key);
        if (!json_is_string(value))
            return problem_set(problem, PROBLEM_INVALID_SAFETENSORS,
                               pointer_add(pointer, sizeof pointer, name),
                               "%s of __metadata__ is not a string: numbers stand there as "
                               "strings, too, \"0.5\"",
                               name);
    }
    return true;
}

static bool read_entries(safetensors_file *file, size_t room, problem *problem) {
    const char *name;
    json_t *value;
    file->entries = calloc(json_object_size(file->header) + 1, sizeof *file->entries);
    if (!file->entries)
        return problem_set_memory(problem, "the header");
    json_object_foreach(file->header, name, value) {
        if (!strcmp(name, "__metadata__")
                ? !read_metadata(file, value, problem)
                : !read_entry(&file->entries[file->count++], name, value, room, problem))
            return false;
    }
    return true;
}

static int by_place(const void *left, const void *right) {
    const safetensors_entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* Each byte behind the header belongs to one tensor. Offsets count from the file's start then. */
static bool check_places(safetensors_file *file, size_t start, size_t room, problem *problem) {
    size_t next = 0;
    qsort(file->entries, file->count, sizeof *file->entries, by_place);
    for (size_t i = 0; i < file->count; i++) {
        safetensors_entry *entry = &file->entries[i];
        char pointer[POINTER], name[NAME];
        if (entry->begin != next)
            return problem_set(problem, PROBLEM_INVALID_SAFETENSORS,
                               safetensors_pointer(entry->name, pointer, sizeof pointer),
                               "data_offsets of %s start at %zu, but the tensors before it end at "
                               "%zu: there may be no gap and no overlap",
                               text_clip(name, sizeof name, entry->name), entry->begin, next);
        next = entry->end;
        entry->begin += start;
        entry->end += start;
    }
    return next == room || problem_set(problem, PROBLEM_INVALID_SAFETENSORS, NULL,
                                       "the tensors end %zu bytes behind the header, but the body "
                                       "goes on for %zu: no byte may be left over",
                                       next, room);
}

bool safetensors_read(safetensors_file *file, const char *bytes, size_t length, size_t most,
                      problem *problem) {
    size_t header;
    *file = (safetensors_file){0};
    const char *text = header_text(bytes, length, most, &header, problem);
    if (!text)
        return false;
    size_t start = LENGTH_BYTES + header, room = length - start;
    if (parse_header(file, text, header, problem) && read_entries(file, room, problem) &&
        check_places(file, start, room, problem))
        return true;
    safetensors_free(file);
    return false;
}

void safetensors_free(safetensors_file *file) {
    json_decref(file->header);
    free(file->entries);
    *file = (safetensors_file){0};
}

/* ---- its tensors --------------------------------------------------------------------------- */

/* Labels of 4 and of 1 bytes as int64_t; their bytes need not be aligned. */
static void widen(int64_t *out, const char *from, size_t bytes_each, size_t count) {
    for (size_t i = 0; i < count && bytes_each == 4; i++) {
        int32_t label;
        memcpy(&label, from + i * sizeof label, sizeof label);
        out[i] = label;
    }
    for (size_t i = 0; i < count && bytes_each == 1; i++)
        out[i] = (unsigned char)from[i];
}

bool safetensors_tensor(const safetensors_entry *entry, const layers_tensor *file, charge *charge,
                        layers_tensor *tensor, problem *problem) {
    const char *from = (const char *)file->data + entry->begin;
    const safetensors_dtype *dtype = entry->dtype;
    bool narrow = dtype->as == LAYERS_I64 && dtype->bytes < sizeof(int64_t);
    layers_error error;
    if (!narrow &&
        layers_tensor_view(tensor, file, dtype->as, entry->shape, entry->rank, entry->begin))
        return true;
    size_t bytes;
    if (!layers_dtype_bytes(dtype->as, entry->size, &bytes) || !charge_add(charge, bytes) ||
        layers_tensor_make(tensor, dtype->as, entry->shape, entry->rank, &error) != LAYERS_OK)
        return problem_set_memory(problem, "a tensor");
    if (narrow)
        widen(tensor->data, from, dtype->bytes, entry->size);
    else
        memcpy(tensor->data, from, entry->end - entry->begin);
    return true;
}
