/* safetensors files, not written by the daemon's own code. */
#include <string.h>

#include "fuzz.h"
#include "graph_model.h"

void file_start(file *file) {
    *file = (struct file){.header = json_pack("{s{}}", "__metadata__")};
    HOLDS(file->header);
}

void file_add_text(file *file, const char *key, const char *text) {
    json_t *metadata = json_object_get(file->header, "__metadata__");
    HOLDS(json_object_set_new(metadata, key, json_string(text)) == 0);
}

static json_t *shape_of(const layers_tensor *tensor) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    return shape;
}

void file_add(file *file, const char *name, const layers_tensor *tensor) {
    static const char *const names[] = {
        [LAYERS_F64] = "F64", [LAYERS_F32] = "F32", [LAYERS_I64] = "I64", [LAYERS_U8] = "U8"};
    size_t bytes;
    HOLDS(layers_dtype_bytes(tensor->dtype, tensor->size, &bytes));
    json_t *entry =
        json_pack("{ss so s[II]}", "dtype", names[tensor->dtype], "shape", shape_of(tensor),
                  "data_offsets", (json_int_t)file->size, (json_int_t)(file->size + bytes));
    HOLDS(json_object_set_new(file->header, name, entry) == 0);
    file->data = realloc(file->data, file->size + bytes + 1);
    HOLDS(file->data);
    if (bytes > 0)
        memcpy(file->data + file->size, tensor->data, bytes);
    file->size += bytes;
}

char *file_end(file *file, size_t *length) {
    char *header = json_dumps(file->header, JSON_COMPACT);
    HOLDS(header);
    uint64_t size = strlen(header);
    *length = sizeof size + (size_t)size + file->size;
    char *bytes = malloc(*length), *end = bytes;
    HOLDS(bytes);
    end = mempcpy(end, &size, sizeof size);
    end = mempcpy(end, header, (size_t)size);
    if (file->size > 0)
        memcpy(end, file->data, file->size);
    json_decref(file->header);
    free(file->data);
    free(header);
    return bytes;
}
