/* What a handle stands for, as bytes. The metadata:
 *
 *     layerd   the version of this form; another one is not read
 *     pieces   in how many pieces the data is; only where it does not stand behind the header
 *     bytes    of memory that the handle costs
 *     created  milliseconds since 1970
 *     data     bytes behind the header
 *     layer    of a cache; with its dtype, the shape of each input, in.x = "2,3", and each
 * parameter that is no tensor, param.eps = "0x1.4f8b588e368f1p-17", param.mode = "train"
 *
 * A kept tensor stands under the name "tensor"; what a cache saves under the names of its
 * operation, in the order of their dtypes' sizes, so that each is aligned. */
#include "store/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/safetensors_read.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 64, VERSION = 1 };

/* ---- out ---------------------------------------------------------------------------------------
 */

/* A header as it grows. Its room is enough for every layer: 5 tensors and 5 inputs of rank 32. */
typedef struct {
    char *text;
    size_t used;
} header;

__attribute__((format(printf, 2, 3))) static void add(header *h, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(h->text + h->used, VALUE_HEADER - h->used, format, arguments);
    va_end(arguments);
    h->used += (size_t)length;
}

static void add_shape(header *h, const layers_tensor *tensor) {
    for (int i = 0; i < tensor->rank; i++)
        add(h, "%s%zu", i ? "," : "", tensor->shape[i]);
}

static void add_tensor(header *h, value_image *image, const char *name,
                       const layers_tensor *tensor) {
    static const char *const names[] = {
        [LAYERS_F64] = "F64", [LAYERS_F32] = "F32", [LAYERS_I64] = "I64", [LAYERS_U8] = "U8"};
    size_t bytes, begin = image->data_bytes;
    layers_dtype_bytes(tensor->dtype, tensor->size, &bytes);
    image->data[image->count] = tensor->data;
    image->bytes[image->count++] = bytes;
    image->data_bytes += bytes;
    add(h, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, names[tensor->dtype]);
    add_shape(h, tensor);
    add(h, "],\"data_offsets\":[%zu,%zu]}", begin, image->data_bytes);
}

static void add_params(header *h, const layers_cache_parts *parts) {
    const layers_param *param = parts->operation->params;
    for (int i = 0; param && param[i].name; i++) {
        if (layers_is_tensor(&param[i]))
            continue;
        if (param[i].kind == LAYERS_CHOICE)
            add(h, ",\"param.%s\":\"%s\"", param[i].name, param[i].choices[parts->choice[i]]);
        else
            add(h, ",\"param.%s\":\"%a\"", param[i].name, parts->number[i]);
    }
}

static void add_cache(header *h, const layers_cache_parts *parts) {
    const layers_operation *operation = parts->operation;
    add(h, ",\"layer\":\"%s\",\"dtype\":\"%s\"", operation->layer, layers_dtype_name(parts->dtype));
    for (int i = 0; operation->inputs[i].name; i++) {
        add(h, ",\"in.%s\":\"", operation->inputs[i].name);
        add_shape(h, &parts->inputs[i]);
        add(h, "\"");
    }
    add_params(h, parts);
}

/* Those whose elements have so many bytes. */
static void add_saved(header *h, value_image *image, size_t each) {
    const layers_cache_parts *parts = &image->parts;
    for (int i = 0; parts->operation->saved[i].name; i++) {
        size_t bytes;
        layers_dtype_bytes(parts->saved[i].dtype, 1, &bytes);
        if (bytes == each)
            add_tensor(h, image, parts->operation->saved[i].name, &parts->saved[i]);
    }
}

static size_t bytes_of(const layers_tensor *tensor) {
    size_t bytes;
    layers_dtype_bytes(tensor->dtype, tensor->size, &bytes);
    return bytes;
}

/* Bytes of the tensor, or where that is NULL of all that is saved. */
static size_t data_of(const value_image *image, const layers_tensor *tensor) {
    size_t bytes = 0;
    if (tensor)
        return bytes_of(tensor);
    for (int i = 0; image->parts.operation->saved[i].name; i++)
        bytes += bytes_of(&image->parts.saved[i]);
    return bytes;
}

/* Of a tensor, or where that is NULL of the parts of a cache. */
static void write_image(value_image *image, const layers_tensor *tensor, size_t bytes,
                        size_t piece) {
    header h = {.text = image->header + LENGTH_BYTES};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    image->count = 0;
    image->data_bytes = 0;
    size_t data = data_of(image, tensor);
    add(&h, "{\"__metadata__\":{\"layerd\":\"%d\"", VERSION);
    if (data > piece)
        add(&h, ",\"pieces\":\"%zu\"", (data + piece - 1) / piece);
    add(&h, ",\"bytes\":\"%zu\",\"data\":\"%zu\",\"created\":\"%" PRId64 "\"", bytes, data,
        (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (!tensor)
        add_cache(&h, &image->parts);
    add(&h, "}");
    for (size_t each = sizeof(double); !tensor && each > 0; each /= 2)
        add_saved(&h, image, each);
    if (tensor)
        add_tensor(&h, image, "tensor", tensor);
    add(&h, "}");
    while ((LENGTH_BYTES + h.used) % ALIGNMENT != 0)
        add(&h, " ");
    uint64_t length = h.used;
    memcpy(image->header, &length, LENGTH_BYTES);
    image->header_length = LENGTH_BYTES + h.used;
}

void value_image_make(value_image *image, const store_value *value, size_t bytes, size_t piece) {
    image->parts = (layers_cache_parts){0};
    if (value->cache)
        layers_cache_take_apart(value->cache, &image->parts);
    write_image(image, value->cache ? NULL : &value->tensor, bytes, piece);
}

void value_image_foresee(value_image *image, const layers_call *call, size_t piece) {
    layers_cache_foresee(call, &image->parts);
    write_image(image, NULL, call->cache_bytes, piece);
}

void value_image_clear(value_image *image) {
    layers_cache_parts_clear(&image->parts);
}

/* ---- in ----------------------------------------------------------------------------------------
 */

static bool wrong(char text[VALUE_TEXT], const char *what) {
    text_clip(text, VALUE_TEXT, what);
    return false;
}

size_t value_pieces(const char *bytes, size_t length) {
    static const char mark[] = "\"pieces\":\"";
    enum { BEFORE = 64 }; /* it stands behind the version */
    const char *at = memmem(bytes, length < BEFORE ? length : BEFORE, mark, sizeof mark - 1);
    size_t pieces = 0;
    for (at = at ? at + sizeof mark - 1 : NULL;
         at && at < bytes + length && *at >= '0' && *at <= '9' && pieces < SIZE_MAX / 16; at++)
        pieces = 10 * pieces + (size_t)(*at - '0');
    return pieces;
}

/* A number of the metadata that is not negative. */
static bool number_of(const json_t *metadata, const char *key, size_t *number) {
    const char *text = json_string_value(json_object_get(metadata, key));
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    unsigned long long value = strtoull(text, &end, 10);
    *number = (size_t)value;
    return !*end && value <= PTRDIFF_MAX;
}

static bool dtype_of(const json_t *metadata, layers_dtype *dtype) {
    const char *name = json_string_value(json_object_get(metadata, "dtype"));
    for (*dtype = LAYERS_F64; name && *dtype <= LAYERS_F32; (*dtype)++)
        if (!strcmp(name, layers_dtype_name(*dtype)))
            return true;
    return false;
}

/* What the metadata says of any value. */
static bool read_metadata(const json_t *metadata, value_head *head, char text[VALUE_TEXT]) {
    size_t version, created;
    if (!number_of(metadata, "layerd", &version))
        return wrong(text, "it is no value of layerd");
    if (version != VERSION) {
        snprintf(text, VALUE_TEXT, "it has version %zu of the form, and this daemon reads %d",
                 version, VERSION);
        return false;
    }
    if (!number_of(metadata, "bytes", &head->info.bytes) ||
        !number_of(metadata, "data", &head->data_bytes) ||
        !number_of(metadata, "created", &created))
        return wrong(text, "its metadata is not complete");
    head->info.created = (int64_t)created;
    return true;
}

static const layers_operation *operation_of(const json_t *metadata) {
    const char *layer = json_string_value(json_object_get(metadata, "layer"));
    const layers_operation *operation = layer ? layers_find(layer, "forward") : NULL;
    return operation && operation->cache == LAYERS_CACHE_GIVEN ? operation : NULL;
}

/* What GET /cache/<handle> tells of a tensor. */
static bool read_tensor_info(const json_t *header, store_info *info) {
    static const char *const names[] = {
        [LAYERS_F64] = "F64", [LAYERS_F32] = "F32", [LAYERS_I64] = "I64"};
    const json_t *entry = json_object_get(header, "tensor");
    const json_t *shape = json_object_get(entry, "shape");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || !json_is_array(shape) || json_array_size(shape) > LAYERS_MAX_RANK)
        return false;
    info->rank = (int)json_array_size(shape);
    for (int i = 0; i < info->rank; i++)
        info->shape[i] = (size_t)json_integer_value(json_array_get(shape, (size_t)i));
    for (info->dtype = LAYERS_F64; info->dtype <= LAYERS_I64; info->dtype++)
        if (!strcmp(dtype, names[info->dtype]))
            return true;
    return false;
}

static bool read_info(const json_t *header, value_head *head, char text[VALUE_TEXT]) {
    const json_t *metadata = json_object_get(header, "__metadata__");
    if (!read_metadata(metadata, head, text))
        return false;
    if (!json_object_get(metadata, "layer"))
        return read_tensor_info(header, &head->info) || wrong(text, "it holds no tensor");
    const layers_operation *operation = operation_of(metadata);
    if (!operation || !dtype_of(metadata, &head->info.dtype))
        return wrong(text, "it is a cache of no layer that is known");
    head->info.layer = operation->layer;
    return true;
}

bool value_head_read(value_head *head, const char *bytes, size_t length, char text[VALUE_TEXT]) {
    uint64_t said;
    *head = (value_head){0};
    if (length < LENGTH_BYTES)
        return wrong(text, "it is too short");
    memcpy(&said, bytes, sizeof said);
    if (said > length - LENGTH_BYTES || said > VALUE_HEADER)
        return wrong(text, "its header is cut off, or too long");
    head->header_length = LENGTH_BYTES + (size_t)said;
    json_t *header = json_loadb(bytes + LENGTH_BYTES, (size_t)said, JSON_REJECT_DUPLICATES, NULL);
    bool good = header ? read_info(header, head, text) : wrong(text, "its header is no JSON");
    json_decref(header);
    return good;
}

/* "2,3" */
static bool shape_of(const char *text, layers_tensor *tensor) {
    tensor->rank = 0;
    if (!text)
        return false;
    while (*text) {
        char *end;
        if (tensor->rank == LAYERS_MAX_RANK || *text < '0' || *text > '9')
            return false;
        tensor->shape[tensor->rank++] = strtoull(text, &end, 10);
        if (*end && (*end != ',' || !end[1]))
            return false;
        text = *end ? end + 1 : end;
    }
    return layers_shape_size(tensor->shape, tensor->rank, &tensor->size);
}

static const char *member(const json_t *metadata, const char *kind, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s.%s", kind, name);
    return json_string_value(json_object_get(metadata, key));
}

static bool read_param(const json_t *metadata, const layers_param *param, double *number,
                       int *choice) {
    const char *text = member(metadata, "param", param->name);
    char *end;
    if (!text)
        return false;
    if (param->kind != LAYERS_CHOICE) {
        *number = strtod(text, &end);
        return end != text && !*end;
    }
    for (*choice = 0; param->choices[*choice]; ++*choice)
        if (!strcmp(text, param->choices[*choice]))
            return true;
    return false;
}

/* The entry of a name, as a tensor of a dtype, in place. */
static bool view(const safetensors_file *file, const layers_tensor *bytes, const char *name,
                 layers_dtype dtype, layers_tensor *tensor) {
    static const char *const names[] = {
        [LAYERS_F64] = "F64", [LAYERS_F32] = "F32", [LAYERS_I64] = "I64", [LAYERS_U8] = "U8"};
    for (size_t i = 0; i < file->count; i++) {
        const safetensors_entry *entry = &file->entries[i];
        if (!strcmp(entry->name, name))
            return !strcmp(entry->dtype->name, names[dtype]) &&
                   layers_tensor_view(tensor, bytes, dtype, entry->shape, entry->rank,
                                      entry->begin);
    }
    return false;
}

static bool read_parts(const safetensors_file *file, const layers_tensor *bytes,
                       layers_cache_parts *parts) {
    const layers_operation *operation = parts->operation;
    size_t saved = 0;
    if (!dtype_of(file->metadata, &parts->dtype))
        return false;
    for (int i = 0; operation->inputs[i].name; i++)
        if (!shape_of(member(file->metadata, "in", operation->inputs[i].name), &parts->inputs[i]))
            return false;
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if (!layers_is_tensor(&operation->params[i]) &&
            !read_param(file->metadata, &operation->params[i], &parts->number[i],
                        &parts->choice[i]))
            return false;
    for (int i = 0; operation->saved[i].name; i++, saved++)
        if (!view(file, bytes, operation->saved[i].name,
                  layers_cache_part_dtype(operation, i, parts->dtype), &parts->saved[i]))
            return false;
    return saved == file->count;
}

static bool read_cache(store_value *value, const safetensors_file *file, const layers_tensor *bytes,
                       char text[VALUE_TEXT]) {
    layers_cache_parts parts = {.operation = operation_of(file->metadata)};
    layers_error error;
    if (!parts.operation)
        return wrong(text, "it is a cache of no layer that is known");
    bool good = read_parts(file, bytes, &parts) || wrong(text, "its tensors are not the layer's");
    if (good && layers_cache_restore(&value->cache, &parts, &error) != LAYERS_OK)
        good = wrong(text, error.message);
    layers_cache_parts_clear(&parts);
    return good;
}

static bool read_tensor(store_value *value, const safetensors_file *file,
                        const layers_tensor *bytes, char text[VALUE_TEXT]) {
    for (layers_dtype dtype = LAYERS_F64; file->count == 1 && dtype <= LAYERS_I64; dtype++)
        if (view(file, bytes, "tensor", dtype, &value->tensor))
            return true;
    return wrong(text, "it holds no tensor");
}

bool value_read(store_value *value, const layers_tensor *bytes, char text[VALUE_TEXT]) {
    safetensors_file file;
    problem problem;
    value_head head;
    *value = (store_value){0};
    if (!safetensors_read(&file, bytes->data, bytes->size, VALUE_HEADER, &problem))
        return wrong(text, problem.detail);
    bool good = read_metadata(file.metadata, &head, text) &&
                (json_object_get(file.metadata, "layer") ? read_cache(value, &file, bytes, text)
                                                         : read_tensor(value, &file, bytes, text));
    safetensors_free(&file);
    return good;
}
